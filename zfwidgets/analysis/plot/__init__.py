"""The figures of the analyses, one file per analysis; the only place where matplotlib is imported.

A drawing takes numbers and words, and knows no result: results know their drawings. `import
zfwidgets` must stay light, so `.plot()` imports its file when it is called:

    def plot(self) -> Figure:
        from zfwidgets.analysis.plot.similarity import plot_similarity

        return plot_similarity(self.matrix, self.labels, title)
"""
