"""A page of the documentation: in the browser where the site is built, else its text in a window."""

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices, QImage, QShowEvent, QTextCursor, QTextDocument
from qtpy.QtWidgets import QDialog, QTextBrowser, QVBoxLayout, QWidget

from rdl_live.view.help.pages import Page, slug

_SIZE = 860, 640
_WIDEST = 800
"""Of pictures [pixels]."""


def open_page(page: Page, owner: QWidget) -> "PageWindow | None":
    """Open a page; return its window, or None where a browser shows it."""
    if page.path.suffix == ".html":
        url = QUrl.fromLocalFile(str(page.path))
        url.setFragment(page.anchor)
        if QDesktopServices.openUrl(url):
            return None
    window = PageWindow(page, owner)
    window.show()
    return window


def _fit_pictures(document: QTextDocument) -> None:
    """Let no picture be wider than the window: Qt shows them pixel by pixel."""
    cursor = QTextCursor(document)
    while not cursor.atEnd():
        cursor.movePosition(QTextCursor.MoveOperation.NextCharacter, QTextCursor.MoveMode.KeepAnchor)
        form = cursor.charFormat()
        if form.isImageFormat():
            picture = form.toImageFormat()
            size = QImage(document.baseUrl().resolved(QUrl(picture.name())).toLocalFile()).size()
            if size.width() > _WIDEST:
                picture.setWidth(_WIDEST)
                picture.setHeight(_WIDEST * size.height() / size.width())
                cursor.setCharFormat(picture)
        cursor.clearSelection()


class PageWindow(QDialog):
    """Shows the text of a page; links to other pages are followed, those to the internet go to the browser."""

    def __init__(self, page: Page, owner: QWidget) -> None:
        """Show a page, at the heading of its anchor."""
        super().__init__(owner.window())
        self.setObjectName("page-window")
        self.setWindowTitle("Help")
        self._anchor = ""
        self.text = QTextBrowser()
        self.text.setObjectName("page-text")
        self.text.setToolTip("A page of the documentation; click links to follow them, Alt+Left goes back")
        self.text.setOpenLinks(False)
        self.text.anchorClicked.connect(self._follow)
        self.text.sourceChanged.connect(self._fit)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.addWidget(self.text)
        self.resize(*_SIZE)
        self.show_page(page)

    def show_page(self, page: Page) -> None:
        """Show another page."""
        url = QUrl.fromLocalFile(str(page.path))
        markdown = page.path.suffix == ".md"
        kind = QTextDocument.ResourceType.MarkdownResource if markdown else QTextDocument.ResourceType.HtmlResource
        self.text.setSource(url, kind)
        self._anchor = page.anchor
        if page.anchor:
            self._go_to(page.anchor)

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Scroll to the place, now that the text has its lines."""
        super().showEvent(event)
        if self._anchor:
            self._go_to(self._anchor)

    def _fit(self, url: QUrl) -> None:
        document = self.text.document()
        assert document is not None
        document.setBaseUrl(url)
        _fit_pictures(document)

    def _follow(self, link: QUrl) -> None:
        full = self.text.source().resolved(link)
        path = full.toLocalFile()
        if full.isLocalFile() and path.endswith((".md", ".html")):
            anchor = full.fragment()
            if path != self.text.source().toLocalFile():
                self.text.setSource(full.adjusted(QUrl.UrlFormattingOption.RemoveFragment))
            self._go_to(anchor)
        else:
            QDesktopServices.openUrl(full)

    def _go_to(self, anchor: str) -> None:
        """Scroll to a heading; Markdown in Qt has no anchors."""
        document = self.text.document()
        assert document is not None
        block = document.begin()
        while block.isValid():
            if block.blockFormat().headingLevel() and slug(block.text()) == anchor:
                self.text.setTextCursor(QTextCursor(block))
                layout, bar = document.documentLayout(), self.text.verticalScrollBar()
                if layout is not None and bar is not None:
                    bar.setValue(int(layout.blockBoundingRect(block).top()))
                return
            block = block.next()
