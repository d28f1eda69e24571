import fs from 'node:fs';
import path from 'node:path';
import { type Config, ConfigError, readSettings, SECRET_SETTINGS, SETTINGS } from '../base/config.js';
import { readEnvFile } from '../base/env-file.js';
import { type Env, findInstallation } from '../base/installation.js';

/** A setting that can't be used; the default stands in for it while everything else is looked at. */
export interface BadSetting {
  name: string;
  /** as given; null for a secret */
  given: string | null;
  /** Vietnamese: what it should be */
  wanted: string;
}

/** What there is on this machine, as `npm start` would see it; reading it changes nothing. */
export interface Situation {
  /** working folder: `.env` is there */
  folder: string;
  /** the file that holds the keys: `.env`, in the demo DATA_DIR/demo/.env */
  keyFile: string;
  envFile: string;
  bad: BadSetting[];
  /** why `npm start` would refuse */
  refused: string | null;
  config: Config;
  /** databases are there */
  installed: boolean;
  /** this account may not look into the data folder */
  hidden: boolean;
  /** never printed, whatever happens */
  secrets: string[];
}

/** Reads `.env` and the environment, forgiving what is wrong in them. */
export function readSituation(folder: string, given: Env): Situation {
  let bad: BadSetting[] = [];
  const { envFile, keyFile, env, mode, config, installed } = findInstallation(folder, given, {
    read,
    usable(raw) {
      const checked = onlyUsable(raw);
      bad = checked.bad;
      return checked.env;
    },
  });
  const sources = [given, read(envFile), read(keyFile), env];
  const secrets = SECRET_SETTINGS.flatMap((name) => sources.map((source) => source[name]?.trim() ?? ''));
  return {
    ...{ folder, envFile, keyFile, bad, config, installed },
    refused: mode.mode === 'refused' ? mode.sentence : null,
    hidden: isHidden(config.dataDir),
    secrets: [...new Set(secrets)].filter((text) => text.length >= 4),
  };
}

function isHidden(folder: string): boolean {
  try {
    fs.statSync(path.join(folder, 'recorder.db'));
    return false;
  } catch (error) {
    return ['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '');
  }
}

/** A `.env` that can't be read is looked at by the check of settings; here it is empty. */
function read(file: string): Record<string, string> {
  try {
    return readEnvFile(file);
  } catch {
    return {};
  }
}

/** Settings that can be used, and what was wrong with the others. */
function onlyUsable(raw: Env): { env: Env; bad: BadSetting[] } {
  const env = { ...raw };
  const bad: BadSetting[] = [];
  for (const setting of SETTINGS) {
    const given = raw[setting.name]?.trim();
    if (!given) continue;
    const result = setting.schema.safeParse(given);
    if (result.success) continue;
    delete env[setting.name];
    const issue = result.error.issues[0] as unknown as Record<string, unknown> | undefined;
    bad.push({ name: setting.name, given: 'secret' in setting ? null : given, wanted: wantedWords(issue) });
  }
  // a rule that spans several settings is nobody's in particular: the defaults stand in for all
  try {
    readSettings(env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    bad.push({ name: '.env', given: null, wanted: error.message });
    for (const { name } of SETTINGS) if (name !== 'DATA_DIR') delete env[name];
  }
  return { env, bad };
}

/** What a value should be, from the words of zod's issue. */
function wantedWords(issue: Record<string, unknown> | undefined): string {
  switch (issue?.code) {
    case 'too_small':
      return `phải từ ${String(issue.minimum)} trở lên`;
    case 'too_big':
      return `phải từ ${String(issue.maximum)} trở xuống`;
    case 'invalid_value':
      return `phải là một trong: ${(issue.values as string[]).map((value) => value || '(để trống)').join(', ')}`;
    case 'invalid_type':
      return issue.expected === 'int' ? 'phải là số nguyên' : 'phải là số';
    case 'invalid_format':
    case 'invalid_union':
      return issue.format === 'safeint'
        ? 'phải là số nguyên'
        : 'phải là địa chỉ đầy đủ, ví dụ https://vi-du.vn';
    default:
      return 'không đúng dạng';
  }
}
