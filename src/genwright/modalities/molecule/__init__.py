"""Molecules: SMILES in files, rdkit for chemistry, atom tokens and SELFIES as codecs. Imports nothing."""
