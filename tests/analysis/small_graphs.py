"""Graphs whose spectra and distances are known by hand."""

import numpy as np


def cycle(n):
    at = np.arange(n)
    return np.stack([at, (at + 1) % n], 1)


def path(n):
    at = np.arange(n - 1)
    return np.stack([at, at + 1], 1)


def grid(rows, columns):
    at = np.arange(rows * columns).reshape(rows, columns)
    right = np.stack([at[:, :-1].ravel(), at[:, 1:].ravel()], 1)
    down = np.stack([at[:-1].ravel(), at[1:].ravel()], 1)
    return np.concatenate([right, down])


def star(arms, length):
    """Edges and arms [arms, length] of a path-star; the root is 0."""
    body = np.arange(arms * (length - 1)).reshape(arms, length - 1) + 1
    rows = np.concatenate([np.zeros((arms, 1), int), body], 1)
    return np.stack([rows[:, :-1].ravel(), rows[:, 1:].ravel()], 1), rows


def associative(edges, n):
    """One dimension per edge, 1 at its two ends (arXiv 2510.26745, proposition 4)."""
    embedding = np.zeros((n, len(edges)))
    embedding[edges.T, np.arange(len(edges))] = 1
    return embedding


def perfect_star(arms, length):
    """A path-star in which each arm is a direction of its own and the root their sum."""
    edges, rows = star(arms, length)
    embedding = np.zeros((arms * (length - 1) + 1, arms))
    embedding[rows[:, 1:], np.arange(arms)[:, None]] = 1
    embedding[0] = 1
    return embedding, edges, rows
