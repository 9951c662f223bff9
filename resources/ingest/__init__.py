"""Market data into the lake: only what is new or changed, checked before it is written."""

from resources.ingest.mending import Mended, mend
from resources.ingest.observations import RowsResult, ingest_rows
from resources.ingest.plan import IngestError
from resources.ingest.result import IngestResult
from resources.ingest.run import ingest

__all__ = ["IngestError", "IngestResult", "Mended", "RowsResult", "ingest", "ingest_rows", "mend"]
