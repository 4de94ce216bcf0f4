"""What the sequence reader is trained by: batches, augmentation, the start from the base reader, calibration."""
