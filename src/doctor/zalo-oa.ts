import { DAY_MS } from '../base/clock.js';
import { WorldError } from '../base/errors.js';
import { type OaClient, ZaloError } from '../channels/zalo/index.js';
import { broken, careful, type Finding, fine } from './finding.js';

/** What an OA is and what its package allows: for setup and the doctor alike. */

const PRODUCTS = ['gmf10', 'gmf50', 'gmf100', 'gmf1000'] as const;
const QUOTAS = ['sub_quota', 'purchase_quota', 'reward_quota'] as const;
/** A package that ends sooner is told, ms. */
const SOON_MS = 14 * DAY_MS;

/**
 * Asks Zalo for the OA, its package and its groups: a dozen calls, none of which changes anything.
 * @throws WorldError when the OA itself was not told: the token is refused, or nobody answers
 */
export async function askOa(
  client: Pick<OaClient, 'oa' | 'groupAssets'>,
  about: { perMinute: number; nowMs: number; signal?: AbortSignal },
): Promise<Finding[]> {
  const oa = await client.oa(about.signal);
  const verified = oa.is_verified === true ? ' (đã xác thực)' : '';
  return [
    fine('zalo-oa', `Zalo nhận mã của OA “${oa.name}”${verified}.`, { verified: oa.is_verified ?? null }),
    judgePackage(oa.package_name, oa.package_valid_through_date, about.nowMs),
    ...(oa.is_verified === false
      ? [
          careful(
            'zalo-verified',
            'OA chưa xác thực: Zalo có thể từ chối nhắn tin (mã -221).',
            'Hãy xác thực OA trong oa.zalo.me.',
          ),
        ]
      : []),
    ...(await askGroups(client, about.signal)),
    fine('zalo-rate', `Giới hạn đang đặt: ${about.perMinute} lượt gọi mỗi phút (ZALO_PER_MINUTE).`),
  ];
}

/** @param until DD/MM/YYYY, its last day in Việt Nam. Pure. */
export function judgePackage(name: string | undefined, until: string | undefined, nowMs: number): Finding {
  const check = 'zalo-package';
  const [, day, month, year] = /^(\d\d?)\/(\d\d?)\/(\d{4})$/.exec(until ?? '') ?? [];
  const endMs =
    year === undefined ? null : Date.UTC(Number(year), Number(month) - 1, Number(day) + 1) - 7 * 3_600_000;
  const called = name ?? 'không rõ';
  const facts = { package: name ?? null, until: until ?? null };
  const renew = 'Hãy gia hạn gói trong oa.zalo.me: hết gói thì Zalo từ chối các lượt gọi của Mắt Thần.';
  if (endMs !== null && nowMs >= endMs)
    return broken(check, `Gói: ${called}, đã hết hạn ngày ${until}.`, renew, facts);
  if (endMs !== null && endMs - nowMs < SOON_MS)
    return careful(check, `Gói: ${called}, sắp hết hạn ngày ${until}.`, renew, facts);
  return fine(check, `Gói: ${called}${until === undefined ? '' : `, dùng đến ${until}`}.`, facts);
}

/** Which groups (GMF) the package allows. */
async function askGroups(client: Pick<OaClient, 'groupAssets'>, signal?: AbortSignal): Promise<Finding[]> {
  const check = 'zalo-groups';
  const found: Finding[] = [];
  try {
    for (const product of PRODUCTS) {
      const assets = await Promise.all(
        QUOTAS.map((quotaType) => client.groupAssets({ product, quotaType }, signal)),
      );
      const free = assets.flat().filter(({ used_id: usedBy }) => (usedBy ?? '') === '').length;
      const used = assets.flat().length - free;
      if (free + used > 0)
        found.push(
          fine(check, `Nhóm tới ${product.slice(3)} người: ${used} nhóm đang dùng, còn tạo được ${free}.`, {
            ...{ product, free, used },
          }),
        );
    }
  } catch (error) {
    if (!(error instanceof WorldError)) throw error;
    const refused = error instanceof ZaloError && error.remedy !== 'back-off';
    return [
      careful(
        check,
        refused
          ? `Gói này không cho xem quyền tạo nhóm (GMF) (mã ${error.code}).`
          : 'Chưa xem được quyền tạo nhóm (GMF): Zalo trả lời chậm hoặc đang bận.',
        refused
          ? 'Tin cảnh báo vào nhóm có thể phải đi qua Telegram.'
          : 'Hãy chờ vài phút rồi chạy lại npm run doctor.',
      ),
    ];
  }
  return found.length > 0
    ? found
    : [
        careful(
          check,
          'Gói này không có nhóm (GMF).',
          'Tin báo chung cho cán bộ phải đi qua Telegram, hoặc mua thêm gói nhóm trong oa.zalo.me.',
        ),
      ];
}
