# cut_photos.py FOLDER N PHOTO...
#
# Cuts N pieces of 500x375, where ImageNet's photographs have most sizes, from photographs, in turns, and writes them as
# FOLDER/<name of the photograph>_<number>.jpg. The same pieces each time.
import os
import random
import sys

import cv2

WIDTH, HEIGHT = 500, 375

folder, count, paths = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
photos = [(os.path.splitext(os.path.basename(path))[0], cv2.imread(path)) for path in paths]
random.seed(1)
for i in range(count):
    name, photo = photos[i % len(photos)]
    height, width = photo.shape[:2]
    left, top = random.randint(0, width - WIDTH), random.randint(0, height - HEIGHT)
    piece = photo[top:top + HEIGHT, left:left + WIDTH]
    if not cv2.imwrite(f"{folder}/{name}_{i}.jpg", piece, [cv2.IMWRITE_JPEG_QUALITY, 80]):
        sys.exit(f"{folder}/{name}_{i}.jpg can't be written")
