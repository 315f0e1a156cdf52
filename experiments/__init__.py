"""What is learned: scenes, surfaces, families, compiler, ladder, corpus, probes, and the run itself."""
