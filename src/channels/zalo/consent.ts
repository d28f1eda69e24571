import express, { type Router } from 'express';
import { rateLimit } from 'express-rate-limit';
import type { Log } from '../../base/log.js';
import { makeToken } from '../../base/seal.js';
import type { Tokens } from '../../store/tokens.js';
import { printNotice } from '../../web/notice.js';
import { consentUrl, exchangeCode, type GivenPair, makeVerifier, type OauthOptions } from './api/oauth.js';

const LINK_MS = 24 * 3_600_000;
/** From the page of consent to its answer. */
const ANSWER_MS = 15 * 60_000;
const OPEN_AT_ONCE = 50;

export interface ConsentOptions {
  oauth: Pick<OauthOptions, 'root' | 'appId' | 'appSecret'>;
  publicUrl: string;
  /** where the console insists on a fixed code challenge */
  fixedVerifier: string | null;
  tokens: Tokens;
  /** The OA whose token this is; its id is null where Zalo does not tell. @throws WorldError */
  whoIs: (accessToken: string) => Promise<{ id: string | null; name: string }>;
  /** the id of the OA we speak for; null before the first consent */
  ourId: () => Promise<string | null>;
  /** Keeps a new pair. @throws WorldError */
  put: (pair: GivenPair) => Promise<void>;
  /** the pair is kept, the OA may be used */
  onGiven: (given: ConsentGiven) => Promise<void>;
  log: Log;
}

export interface ConsentGiven {
  /** whose link it was */
  personId: number | null;
  /** null where Zalo did not tell */
  oa: { id: string | null; name: string | null };
  /** another OA than before, as the chief wished */
  changed: boolean;
}

export interface Consent {
  router: Router;
  /**
   * A link for the chief that opens Zalo's page of consent, good for a day and for one consent, of the OA we speak for.
   * @param another of any other OA as well
   */
  linkFor(personId: number, another?: boolean): Promise<string>;
}

const NOT_BEGUN = {
  title: 'Chưa nối được Zalo',
  lines: [
    'Trang này mở đã lâu, hoặc đường dẫn đã dùng rồi. Anh/chị nhắn “nối Zalo OA” cho bot để lấy đường dẫn mới nhé.',
  ],
};

const otherOa = (name: string | null) => ({
  title: 'Đây là một OA khác',
  lines: [
    `${name === null ? 'OA vừa cấp quyền' : `OA “${name}”`} không phải Zalo OA mà đơn vị đang dùng, nên em chưa nối.`,
    'Nếu đơn vị đổi sang OA này, trưởng công an nhắn “nối Zalo OA khác” cho bot để lấy đường dẫn riêng.',
  ],
});

/**
 * The OA's administrator consents: our link leads to Zalo's page, Zalo leads back with a code, the code becomes the pair of
 * tokens. Only who has a link of ours can begin, and an answer that was not begun here is refused. The link serves once, and
 * only for the OA we speak for, unless the chief wants another one.
 */
export function makeConsent(options: ConsentOptions): Consent {
  const { oauth, tokens, log } = options;
  const root = options.publicUrl.replace(/\/+$/, '');
  const redirectUri = `${root}/zalo/callback`;
  const begun = new Map<string, { token: string; verifier: string; untilMs: number }>();
  const router = express.Router();
  const limiter = rateLimit({ windowMs: 60_000, limit: 30, standardHeaders: false, legacyHeaders: false });

  router.get('/zalo/consent/:token', limiter, async (request, response) => {
    // chat apps look at links by themselves: opening one does not use it up
    const token = String(request.params.token);
    if ((await tokens.peek('consent', token)) === null)
      return printNotice(response, 404, {
        title: 'Đường dẫn này đã hết hạn',
        lines: ['Anh/chị nhắn “nối Zalo OA” cho bot để lấy đường dẫn mới.'],
      });
    const state = makeToken();
    const verifier = options.fixedVerifier ?? makeVerifier();
    for (const [old, { untilMs }] of begun)
      if (begun.size >= OPEN_AT_ONCE || performance.now() > untilMs) begun.delete(old);
    begun.set(state, { token, verifier, untilMs: performance.now() + ANSWER_MS });
    response.setHeader('Cache-Control', 'no-store');
    response.redirect(302, consentUrl(oauth, { redirectUri, verifier, state }));
  });

  router.get('/zalo/callback', limiter, async (request, response) => {
    const { code, state } = request.query;
    const found = typeof state === 'string' ? begun.get(state) : undefined;
    if (typeof state === 'string') begun.delete(state);
    const link = found === undefined ? null : await tokens.peek('consent', found.token);
    if (found === undefined || link === null || performance.now() > found.untilMs || typeof code !== 'string')
      return printNotice(response, 400, NOT_BEGUN);
    const another = (link.payload as { another?: boolean }).another === true;
    const ours = await options.ourId();
    let given: ConsentGiven;
    try {
      const pair = await exchangeCode(oauth, { code, verifier: found.verifier });
      const told = typeof request.query.oa_id === 'string' ? request.query.oa_id : null;
      const who = await options.whoIs(pair.accessToken).catch((error: unknown) => {
        // whose it is decides only where there is one of ours already
        if (ours !== null && !another) throw error;
        log.warn({ err: error }, 'the OA that consented does not say who it is');
        return null;
      });
      const oa = { id: who?.id ?? told, name: who?.name ?? null };
      given = { personId: link.personId, oa, changed: ours !== null && oa.id !== ours };
      if (given.changed && !another) {
        log.warn('another OA consented than the one we speak for: refused');
        return printNotice(response, 409, otherOa(oa.name));
      }
      // of several pages that were opened with this link one may end here
      if ((await tokens.use('consent', found.token)) === null) return printNotice(response, 400, NOT_BEGUN);
      await options.put(pair);
    } catch (error) {
      log.warn({ err: error }, "the OA's consent could not be turned into tokens");
      return printNotice(response, 502, {
        title: 'Chưa nối được Zalo',
        lines: [
          'Zalo chưa cấp quyền cho máy chủ. Anh/chị nhắn “nối Zalo OA” cho bot để lấy đường dẫn mới và thử lại; nếu vẫn vậy, kiểm tra ZALO_APP_ID, ZALO_APP_SECRET và địa chỉ Callback trong trang quản trị ứng dụng.',
        ],
      });
    }
    await options.onGiven(given);
    printNotice(response, 200, {
      title: 'Đã nối Zalo',
      lines: ['Bot dùng được Zalo ngay bây giờ. Anh/chị đóng trang này được rồi.'],
    });
  });

  return {
    router,
    async linkFor(personId, another = false) {
      const payload = another ? { another } : {};
      const token = await tokens.issue({ kind: 'consent', personId, payload, ttlMs: LINK_MS });
      return `${root}/zalo/consent/${token}`;
    },
  };
}
