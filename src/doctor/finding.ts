/** ok ✓ · warn ! (works, but look at it) · bad ✗ (must be mended) */
export type Mark = 'ok' | 'warn' | 'bad';

/** What one check found, in words for somebody who is no engineer. */
export interface Finding {
  /** a stable name for programs: "disk-space" */
  check: string;
  mark: Mark;
  /** one Vietnamese sentence */
  says: string;
  /** what to do, where it is not fine */
  todo?: string;
  /** figures for programs; nothing secret */
  facts?: Record<string, unknown>;
}

export const fine = (check: string, says: string, facts?: Record<string, unknown>): Finding => ({
  ...{ check, mark: 'ok', says },
  ...(facts && { facts }),
});

export const careful = (
  check: string,
  says: string,
  todo: string,
  facts?: Record<string, unknown>,
): Finding => ({
  ...{ check, mark: 'warn', says, todo },
  ...(facts && { facts }),
});

export const broken = (
  check: string,
  says: string,
  todo: string,
  facts?: Record<string, unknown>,
): Finding => ({
  ...{ check, mark: 'bad', says, todo },
  ...(facts && { facts }),
});

/** A decimal as people here write it: "12,5". */
export const sayNumber = (value: number, digits = 1) =>
  value.toFixed(digits).replace(/\.0+$/, '').replace('.', ',');

/** "225 KB", "850 MB", "79,7 GB", "3,2 TB" */
export const saySize = (bytes: number) =>
  bytes >= 1e12
    ? `${sayNumber(bytes / 1e12)} TB`
    : bytes >= 1e9
      ? `${sayNumber(bytes / 1e9)} GB`
      : bytes >= 1e6 || bytes === 0
        ? `${sayNumber(bytes / 1e6, 0)} MB`
        : `${sayNumber(bytes / 1e3, 0)} KB`;

/** What `work` gives within `ms`, else `late`. It is told to end by the signal; a fault is thrown on. */
export async function within<T, L>(
  ms: number,
  late: L,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T | L> {
  const ending = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const end = new Promise<L>((resolve) => {
    timer = setTimeout(() => {
      ending.abort();
      resolve(late);
    }, ms);
  });
  try {
    return await Promise.race([work(ending.signal), end]);
  } finally {
    clearTimeout(timer);
  }
}
