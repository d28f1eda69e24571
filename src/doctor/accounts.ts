import fs from 'node:fs/promises';
import os from 'node:os';
import process from 'node:process';

export interface Account {
  /** -1 on Windows */
  uid: number;
  name: string;
}

/** Who runs this. */
export function myself(): Account {
  const uid = process.getuid?.() ?? -1;
  try {
    return { uid, name: os.userInfo().username };
  } catch {
    // an account without an entry, as in a container
    return { uid, name: String(uid) };
  }
}

/** The name of an account, else its number. */
export async function accountName(uid: number): Promise<string> {
  const lines = await fs.readFile('/etc/passwd', 'utf8').catch(() => '');
  for (const line of lines.split('\n')) {
    const [name, , number] = line.split(':');
    if (name && number === String(uid)) return name;
  }
  const me = myself();
  return me.uid === uid || me.uid === -1 ? me.name : String(uid);
}
