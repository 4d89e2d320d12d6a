"""How a model stores facts, from packs alone, in float64 (arXiv 2605.12426).

N subjects · R relations · A attributes · D width · F neurons of the MLP
"""
