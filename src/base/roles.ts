/** Who may do what hangs on the role; the table of rights is in handlers (each command's `may`). */
export const ROLES = ['guest', 'household', 'donor', 'hamletHead', 'technician', 'officer', 'chief'] as const;
export type Role = (typeof ROLES)[number];

/** Those whom the chief has let in, few: they may write as fast as they like, and are answered before everybody else. */
export const STAFF: ReadonlySet<Role> = new Set(['chief', 'officer', 'technician', 'hamletHead']);

/** As people read it. */
export const ROLE_NAMES: Record<Role, string> = {
  guest: 'khách',
  household: 'hộ thành viên',
  donor: 'người ủng hộ',
  hamletHead: 'trưởng thôn',
  technician: 'kỹ thuật viên',
  officer: 'cán bộ công an',
  chief: 'trưởng công an',
};

export const GROUP_PURPOSES = ['officers', 'hamlet', 'public'] as const;
export type GroupPurpose = (typeof GROUP_PURPOSES)[number];

export const PURPOSE_NAMES: Record<GroupPurpose, string> = {
  officers: 'nhóm cán bộ',
  hamlet: 'nhóm thôn',
  public: 'nhóm chung',
};
