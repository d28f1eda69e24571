import fs from 'node:fs';
import path from 'node:path';
import { type Config, decideMode, type Mode, makeConfig, readSettings } from './config.js';
import { readEnvFile } from './env-file.js';

export type Env = Record<string, string | undefined>;

/** What a folder holds, as `npm start` there, the backup and the doctor see it. */
export interface Installation {
  /** the settings file, whether it is there or not */
  envFile: string;
  /** the file that holds the keys: the demo has its own, so that it touches nothing of a real installation */
  keyFile: string;
  /** settings of the file, overruled by the environment; DATA_DIR is absolute */
  env: Env;
  /** as configured, absolute; the demo's data lie in `demo` below it */
  dataRoot: string;
  mode: Mode;
  /** keys that are not there yet are empty */
  config: Config;
  /** there are databases in `config.dataDir` */
  installed: boolean;
}

export interface Forgiving {
  /** default: what can't be read throws */
  read?: (file: string) => Record<string, string>;
  /** leaves out what can't be used; default: it throws ConfigError */
  usable?: (env: Env) => Env;
}

const holdsData = (folder: string) =>
  fs.existsSync(path.join(folder, 'bot.db')) || fs.existsSync(path.join(folder, 'recorder.db'));

/**
 * Demo or real, and where settings, keys and data are. Looking changes nothing.
 * @param cwd folder of `.env`
 * @param environment MAT_THAN_DEMO in it: a parent has decided already
 */
export function findInstallation(
  cwd: string,
  environment: Env,
  { read = readEnvFile, usable = (env) => env }: Forgiving = {},
): Installation {
  const envFile = path.join(path.resolve(cwd), '.env');
  const given = usable({ ...read(envFile), ...environment });
  const dataRoot = path.resolve(cwd, readSettings(given).DATA_DIR);
  const env: Env = { ...given, DATA_DIR: dataRoot };
  const decided = environment.MAT_THAN_DEMO;
  const mode: Mode =
    decided === undefined
      ? decideMode(env, holdsData(dataRoot))
      : { mode: decided === '1' ? 'demo' : 'real' };
  const demo = mode.mode === 'demo';
  const keyFile = demo ? path.join(dataRoot, 'demo', '.env') : envFile;
  const { SECRET_KEY = '', RECORDER_TOKEN = '' } = demo ? read(keyFile) : env;
  const config = makeConfig({ ...env, SECRET_KEY, RECORDER_TOKEN }, demo);
  return { envFile, keyFile, env, dataRoot, mode, config, installed: holdsData(config.dataDir) };
}
