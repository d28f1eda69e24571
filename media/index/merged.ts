import { SEAM_MS } from '../coverage.js';

/** SQL: the stretches of rows, merged where at most SEAM_MS lies between, ascending. @param rows what stands behind FROM */
export const merged = (rows: string) => `
  SELECT min("startMs") AS "startMs", max("endMs") AS "endMs" FROM (
    SELECT "startMs", "endMs", sum("apart") OVER (ORDER BY "startMs" ROWS UNBOUNDED PRECEDING) AS "part" FROM (
      SELECT "startMs", "endMs", "startMs" - coalesce(
        max("endMs") OVER (ORDER BY "startMs" ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), "startMs"
      ) > ${SEAM_MS} AS "apart"
      FROM ${rows}
    )
  ) GROUP BY "part"`;
