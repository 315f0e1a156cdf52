"""The C kernel engine: op table, graph, memory plan, training step, decoding and checkpoints of a small decoder.

It knows tensors and token ids. It deliberately knows no scene, no run and no tracking server.
"""
