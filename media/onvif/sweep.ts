import PQueue from 'p-queue';

/** So many addresses are tried at once, whoever asks: a household's modem stumbles over more. */
export const MOST_PROBES = 16;

const probes = new PQueue({ concurrency: MOST_PROBES });

/** Visits all addresses, at most 16 at once with those of every other sweep; aborted it leaves out the rest. */
export async function sweep(
  hosts: readonly string[],
  visit: (host: string) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(
    hosts.map((host) =>
      probes.add(async () => {
        if (!signal.aborted) await visit(host);
      }),
    ),
  );
}
