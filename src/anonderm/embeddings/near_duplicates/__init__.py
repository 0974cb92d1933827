"""Copies of a picture that are not the same file: mirrored, cropped, resized, recompressed or recoloured.

edge_histograms  descriptors whose distance is small for copies: the copy matcher of audit and screen,
                 calibrated on the set at hand, for any number of faces
search           pairs of photos that are compared place by place: ingest, which drops photos and must not
                 mistake two photos of one sitting for copies
"""
