import type { RecorderClient } from '../media/types.js';
import type { Clock } from '../src/base/clock.js';
import type { Log } from '../src/base/log.js';
import type { Seal } from '../src/base/seal.js';
import type { TellOptions } from '../src/chat/chat.js';
import type { Channel, ChannelName, Recipient, Reply } from '../src/chat/message.js';
import type { MakeLink } from '../src/chat/outgoing.js';
import type { Intake } from '../src/intake/types.js';
import type { Database } from '../src/store/database.js';

/** The settings that what the bot does depends on. */
export interface HouseSettings {
  /** how the unit is called: "Công an xã Cẩm Lương" */
  communeName: string;
  /** length of a clip when only a moment is named, seconds */
  clipSeconds: number;
  /** longest clip one may ask for, seconds */
  clipMaxSeconds: number;
  /** a camera down for longer is told, seconds */
  outageSeconds: number;
  /** days recordings are kept, unless a camera has its own number */
  retentionDays: number;
  demo: boolean;
  publicUrl: string | null;
  /** absolute; reports lie in `reports/` inside */
  dataDir: string;
}

/** What handlers are given: the outside world, by hand. */
export interface House {
  db: Database;
  recorder: RecorderClient;
  intake: Intake;
  clock: Clock;
  log: Log;
  seal: Seal;
  settings: HouseSettings;
  /** Says it durably, to a chat or to a person wherever they can be reached: resolves when it is in the outbox. */
  tell(to: Recipient, reply: Reply | string, options: TellOptions): Promise<unknown>;
  /** Can this person be written to now? If not, what is told waits until they write. */
  reaches(personId: number): Promise<boolean>;
  /** The running channel of that name, or null. */
  channelOf(name: ChannelName): Channel | null;
  /** Forgets answered messages older than so many days. @returns how many */
  pruneQueues(days: number): Promise<number>;
  /**
   * A path for a file of a reply that will be told under this key. With it the photos of an album go on as one album;
   * without it one by one.
   */
  spoolFor?(key: string, fileName: string): Promise<string>;
  /**
   * An address at which the OA's administrator consents; absent where there is no OA or no public address.
   * @param another for another OA than the one in use, too
   */
  zaloConsentLink?(personId: number, another?: boolean): Promise<string>;
  /** An address that logs the person in to our pages once; absent where there are no pages. */
  makeLoginLink?(personId: number): Promise<string>;
  /** Makes an expiring link to files; null where there is no way to them. */
  makeLink: MakeLink;
}
