export type BackupFaultKind =
  /** of the file that is read */
  | 'not-found'
  | 'not-a-backup'
  | 'newer-format'
  | 'cut'
  | 'reordered'
  | 'damaged'
  | 'wrong-passphrase'
  /** of the passphrase that was given */
  | 'no-passphrase'
  | 'weak-passphrase'
  /** of the place that is written to */
  | 'no-place'
  | 'place-missing'
  | 'place-full'
  | 'place-failed'
  /** of what is backed up */
  | 'nothing-there'
  | 'source-failed'
  /** of the folder that is restored into */
  | 'in-use'
  | 'not-empty'
  | 'settings-there'
  | 'newer-data'
  | 'asked-wrongly';

/** Why a backup or a restore did not go on; `message` is a Vietnamese sentence that says what to do. */
export class BackupFault extends Error {
  override name = 'BackupFault';

  constructor(
    readonly kind: BackupFaultKind,
    message: string,
    options: { cause?: unknown } = {},
  ) {
    super(message.normalize('NFC'), options.cause === undefined ? undefined : options);
  }
}

/** A failure of the disk that backups go to, in words. Anything that is no fault of a disk is given back as it is. */
export function placeFault(error: unknown, folder: string): unknown {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (error instanceof BackupFault || typeof code !== 'string') return error;
  if (code === 'EFBIG')
    return new BackupFault(
      'place-failed',
      `Ổ lưu bản sao (${folder}) không nhận tệp lớn như vậy (USB kiểu FAT32 chỉ tới 4 GB). Hãy định dạng lại USB thành exFAT hoặc ext4, hoặc bỏ --with-reports; các bản sao cũ vẫn còn nguyên.`,
      { cause: error },
    );
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new BackupFault(
      'place-full',
      `Ổ lưu bản sao (${folder}) đã đầy. Hãy xóa bớt tệp trên ổ đó hoặc thay ổ lớn hơn; các bản sao cũ vẫn còn nguyên.`,
      { cause: error },
    );
  if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENODEV' || code === 'ENXIO')
    return new BackupFault(
      'place-missing',
      `Không thấy nơi lưu bản sao (${folder}). Hãy cắm lại ổ hoặc USB, hoặc tạo thư mục đó.`,
      { cause: error },
    );
  return new BackupFault(
    'place-failed',
    `Không ghi được vào nơi lưu bản sao (${folder}, lỗi ${code}). Hãy xem ổ có bị khóa ghi hay bị hỏng không.`,
    { cause: error },
  );
}
