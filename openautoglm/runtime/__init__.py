"""Running exported programs: numpy, no training code."""
