-- What a stretch of time holds is read from the index alone.
CREATE INDEX "Segment_cameraId_stream_startMs_endMs_open_idx" ON "Segment"("cameraId", "stream", "startMs", "endMs", "open");

DROP INDEX "Segment_cameraId_stream_startMs_idx";
