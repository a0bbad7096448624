#include "kernels/winograd_tiles.h"
#include "kernels/integers.h"

enum { OUT = AMC_WINOGRAD_OUT, IN = AMC_WINOGRAD_IN };

amc_winograd_grid amc_winograd_grid_make(const amc_conv_shape *s, int batch, const float *x,
                                         float *y) {
    amc_winograd_grid grid = {.s = s, .x = x, .y = y};
    grid.across = (s->out_w + OUT - 1) / OUT;
    grid.down = (s->out_h + OUT - 1) / OUT;
    grid.tiles = batch * grid.across * grid.down;
    return grid;
}

static void begin_band(const amc_winograd_grid *grid, amc_winograd_part *part, int image, int row) {
    part->bands[part->n_bands++] = (amc_winograd_band){
        .x = grid->x + amc_conv_shape_inputs(grid->s) * image,
        .row = row * OUT - grid->s->pad,
        .at = part->rows * part->width,
    };
}

static amc_winograd_tile place(const amc_winograd_grid *grid, amc_winograd_part *part, int index,
                               bool first) {
    const amc_conv_shape *s = grid->s;
    int image = index / (grid->across * grid->down), row = index / grid->across % grid->down,
        column = index % grid->across;
    if (first || (row == 0 && column == 0)) begin_band(grid, part, image, row);
    amc_winograd_band *band = &part->bands[part->n_bands - 1];
    int below = row * OUT - s->pad - band->row;
    part->rows += below + IN - band->rows;
    band->rows = below + IN;
    return (amc_winograd_tile){
        .in = band->at + below * part->width + column * OUT,
        .out = grid->y + amc_conv_shape_outputs(s) * image + row * OUT * s->out_w + column * OUT,
        .rows = amc_min(OUT, s->out_h - row * OUT),
        .columns = amc_min(OUT, s->out_w - column * OUT),
    };
}

static int images_of(const amc_winograd_grid *grid, int tiles) {
    return tiles / (grid->across * grid->down) + 2; // of two perhaps a single tile
}

size_t amc_winograd_most_pixels(const amc_winograd_grid *grid, int tiles) {
    int images = images_of(grid, tiles), rows = tiles / grid->across + images;
    return (size_t)(rows * OUT + images * (IN - OUT)) * (grid->across + 1) * OUT;
}

static bool are_whole(const amc_winograd_tile *tiles) {
    bool whole = true;
    for (int i = 0; i < AMC_WINOGRAD_LANES; i++)
        whole &= tiles[i].rows == OUT && tiles[i].columns == OUT;
    return whole;
}

amc_winograd_part amc_winograd_part_make(const amc_winograd_grid *grid, int first, int tiles) {
    // Rows begin at multiples of 16 bytes: what is loaded from them crosses no line of the cache.
    amc_winograd_part part = {.tiles = tiles, .width = (grid->across + 1) * OUT};
    size_t images = images_of(grid, tiles);
    part.list = amc_workspace_bytes(AMC_WORKSPACE_TABLES,
                                    tiles * sizeof *part.list + images * sizeof *part.bands);
    part.bands = (amc_winograd_band *)(void *)(part.list + tiles);
    int end = amc_min(tiles, grid->tiles - first);
    for (int i = 0; i < end; i++) part.list[i] = place(grid, &part, first + i, i == 0);
    for (int i = end; i < tiles; i++) part.list[i] = (amc_winograd_tile){0};
    for (int i = 0; i < tiles; i += AMC_WINOGRAD_LANES)
        part.list[i].eight_whole = are_whole(part.list + i);
    return part;
}
