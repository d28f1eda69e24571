import fs from 'node:fs';
import path from 'node:path';
import { type Config, makeConfig, readSettings } from '../base/config.js';
import { readEnvFile } from '../base/env-file.js';

/** What a backup is made of, and a restore into. */
export interface Installation {
  config: Config;
  /** its settings and keys */
  envFile: string;
  /** settings of the file, overruled by the environment */
  env: Record<string, string | undefined>;
}

/** The installation that `npm start` in this folder would run: the real one, else the demo where there is one. */
export function findInstallation(cwd: string, environment: Record<string, string | undefined>): Installation {
  const envFile = path.join(cwd, '.env');
  const env = { ...readEnvFile(envFile), ...environment };
  const root = path.resolve(cwd, readSettings(env).DATA_DIR);
  const has = (...parts: string[]) => fs.existsSync(path.join(root, ...parts));
  const demo =
    env.MAT_THAN_DEMO === '1' || (!has('bot.db') && !has('recorder.db') && has('demo', 'recorder.db'));
  const config = makeConfig({ ...env, DATA_DIR: root }, demo);
  return { config, env, envFile: demo ? path.join(config.dataDir, '.env') : envFile };
}
