import type { GmfProduct } from '../api/groups.js';
import type { OaClient } from '../api/oa.js';

/** By how many people fit in. */
const PRODUCTS: readonly [GmfProduct, number][] = [
  ['gmf10', 10],
  ['gmf50', 50],
  ['gmf100', 100],
  ['gmf1000', 1000],
];
const QUOTAS = ['sub_quota', 'purchase_quota', 'reward_quota'] as const;

/** The smallest group of the OA's packages that is not used yet and takes so many; null when there is none. */
async function freeAsset(client: OaClient, people: number, signal: AbortSignal): Promise<string | null> {
  for (const [product, most] of PRODUCTS) {
    // the OA is in it, too
    if (people + 1 > most) continue;
    for (const quotaType of QUOTAS) {
      const assets = await client.groupAssets({ product, quotaType }, signal);
      const free = assets.find(
        ({ used_id: usedBy }) => usedBy === undefined || usedBy === null || usedBy === '',
      );
      if (free !== undefined) return free.asset_id;
    }
  }
  return null;
}

/** Makes a GMF group. @returns null when no package has one left @throws WorldError */
export async function makeOaGroup(
  client: OaClient,
  about: { name: string; description: string; userIds: string[] },
  signal: AbortSignal,
): Promise<{ chatId: string; link: string | null } | null> {
  const assetId = await freeAsset(client, about.userIds.length, signal);
  if (assetId === null) return null;
  const made = await client.makeGroup({ ...about, assetId }, signal);
  return { chatId: made.group_id, link: made.group_link ?? null };
}
