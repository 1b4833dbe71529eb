"""The figures of the analyses, one file per analysis; the only place where matplotlib is imported.

`import zfwidgets` must stay light, so `.plot()` of a result imports its file when it is called:

    def plot(self) -> Figure:
        from zfwidgets.analysis.plot.usage import plot_usage

        return plot_usage(self)
"""
