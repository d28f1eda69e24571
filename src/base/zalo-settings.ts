import { z } from 'zod';
import type { Setting } from './config.js';

const flag = z.enum(['0', '1']).transform((value) => value === '1');
const maybe = z.string().transform((value) => (value === '' ? null : value));

/** Zalo's part of the table of settings. */
export const ZALO_SETTINGS = [
  {
    name: 'ZALO_APP_ID',
    section: 'Zalo',
    about:
      'Id of the app on developers.zalo.me that the Official Account (OA) is linked to; empty: no Zalo OA',
    fallback: '',
    schema: z
      .string()
      .regex(/^\d*$/, 'digits only')
      .transform((value) => (value === '' ? null : value)),
  },
  {
    name: 'ZALO_APP_SECRET',
    section: 'Zalo',
    about: "The app's secret key",
    fallback: '',
    secret: true,
    schema: maybe,
  },
  {
    name: 'ZALO_OA_SECRET',
    section: 'Zalo',
    about: "The OA secret key of the app's webhook page, which signs events; empty: ZALO_APP_SECRET",
    fallback: '',
    secret: true,
    schema: maybe,
  },
  {
    name: 'ZALO_CODE_VERIFIER',
    section: 'Zalo',
    about: 'PKCE verifier of 43 characters, only where the console insists on a fixed code challenge',
    fallback: '',
    secret: true,
    schema: z.union([
      z.literal('').transform(() => null),
      z.string().regex(/^[A-Za-z0-9._~-]{43}$/, '43 characters of A-Z a-z 0-9 . _ ~ -'),
    ]),
  },
  {
    name: 'ZALO_BUTTONS',
    section: 'Zalo',
    about:
      '1: real buttons under messages of the OA, if its package shows them (in private, up to five); 0: a numbered menu',
    fallback: '0',
    schema: flag,
  },
  {
    name: 'ZALO_PAID',
    section: 'Zalo',
    about: '1: write to people also 48 hours to 7 days after they wrote, which Zalo charges for',
    fallback: '0',
    schema: flag,
  },
  {
    name: 'ZALO_PER_MINUTE',
    section: 'Zalo',
    about: "Calls a minute that the OA's package allows",
    fallback: '100',
    schema: z.coerce.number().int().min(1).max(10_000),
  },
  {
    name: 'ZALO_MEDIA_HOSTS',
    section: 'Zalo',
    about: 'Hosts that files of people may be loaded from, with commas; names below them count too',
    fallback: 'zdn.vn,zadn.vn',
    schema: z.string().transform((value) =>
      value
        .split(',')
        .map((host) => host.trim())
        .filter(Boolean),
    ),
  },
  {
    name: 'ZALO_VERIFIER',
    section: 'Zalo',
    about: "Code of the file /zalo_verifier….html by which Zalo's console recognises the domain",
    fallback: '',
    schema: z.union([
      z.literal('').transform(() => null),
      z.string().regex(/^[A-Za-z0-9_-]{8,200}$/, 'the code alone, without zalo_verifier and .html'),
    ]),
  },
  {
    name: 'ZALO_BOT_TOKEN',
    section: 'Zalo',
    about: 'Token of a bot of the Zalo Bot Platform; empty: no Zalo bot',
    fallback: '',
    secret: true,
    schema: maybe,
  },
  {
    name: 'ZALO_BOT_SECRET',
    section: 'Zalo',
    about: "8 to 256 characters that come back with each event of the bot's webhook",
    fallback: '',
    secret: true,
    schema: z.union([z.literal('').transform(() => null), z.string().min(8).max(256)]),
  },
  {
    name: 'ZALO_API_ROOT',
    section: 'Zalo',
    about: "The OA's API, or a relay to it",
    fallback: 'https://openapi.zalo.me',
    schema: z.url(),
  },
  {
    name: 'ZALO_OAUTH_ROOT',
    section: 'Zalo',
    about: 'Where the OA consents and its tokens are renewed',
    fallback: 'https://oauth.zaloapp.com',
    schema: z.url(),
  },
  {
    name: 'ZALO_BOT_ROOT',
    section: 'Zalo',
    about: 'API of the Zalo Bot Platform',
    fallback: 'https://bot-api.zaloplatforms.com',
    schema: z.url(),
  },
] as const satisfies readonly Setting[];

type Values = { [S in (typeof ZALO_SETTINGS)[number] as S['name']]: z.output<S['schema']> };

export interface ZaloConfig {
  /** null = no OA */
  appId: string | null;
  appSecret: string | null;
  /** signs the events of the OA */
  oaSecret: string | null;
  codeVerifier: string | null;
  buttons: boolean;
  paid: boolean;
  perMinute: number;
  mediaHosts: string[];
  /** of the domain, for Zalo's console */
  verifier: string | null;
  /** of the Bot Platform; null = no bot */
  botToken: string | null;
  botSecret: string | null;
  roots: { api: string; oauth: string; bot: string };
}

export const makeZaloConfig = (values: Values): ZaloConfig => ({
  appId: values.ZALO_APP_ID,
  appSecret: values.ZALO_APP_SECRET,
  oaSecret: values.ZALO_OA_SECRET ?? values.ZALO_APP_SECRET,
  codeVerifier: values.ZALO_CODE_VERIFIER,
  buttons: values.ZALO_BUTTONS,
  paid: values.ZALO_PAID,
  perMinute: values.ZALO_PER_MINUTE,
  mediaHosts: values.ZALO_MEDIA_HOSTS,
  verifier: values.ZALO_VERIFIER,
  botToken: values.ZALO_BOT_TOKEN,
  botSecret: values.ZALO_BOT_SECRET,
  roots: {
    api: values.ZALO_API_ROOT,
    oauth: values.ZALO_OAUTH_ROOT,
    bot: values.ZALO_BOT_ROOT,
  },
});
