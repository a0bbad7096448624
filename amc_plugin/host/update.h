// The training step of convolutional and connected layers, in which a pruned network's zeros stay
// zero. Single weights are pruned by setting them to exactly zero in the .weights file, with the
// .cfg as it is; nothing else marks them.
//
// A layer counts as pruned if at least one in a hundred of its weights is zero when Darknet's
// load_weights has read them: from then on no step changes those that are zero, nor gives them
// momentum, until weights are read again. Biases and batch normalization train as ever. The first
// step of such a layer says on stderr how many zeros the network holds; a network that is only used
// says nothing.

#ifndef AMC_HOST_UPDATE_H
#define AMC_HOST_UPDATE_H

#include <darknet.h>

// Gives a new convolutional or connected layer this step; load_weights leaves layers of any other
// step alone.
void amc_update_install(layer *l);

#endif
