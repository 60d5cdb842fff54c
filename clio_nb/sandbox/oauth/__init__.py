"""OAuth as Clio does it: the consent page, codes and tokens, and the ways in which access ends."""
