import { DAY_MS } from '../../../base/clock.js';
import type { ChannelLimits } from '../../../chat/message.js';

export interface OaManners {
  /** real buttons [?]; else a numbered menu */
  buttons: boolean;
  /** the address of a picture for the form that asks for name and phone; null: there is no form */
  formImage: string | null;
  /** messages 48 h to 7 d after the person wrote are paid for: send them all the same */
  paid: boolean;
}

/** A caption is the text of its picture, so it may be as long. Sizes: of the upload. Source: chat-apis.md §1.3, §1.4. */
export const oaLimits = ({ buttons, paid, formImage }: OaManners): ChannelLimits => ({
  textLength: 2000,
  captionLength: 2000,
  photoBytes: 1_000_000,
  photoSides: 10_000,
  fileBytes: 5_000_000,
  video: false,
  videoPreview: { kind: 'gif', bytes: 5_000_000 },
  documentTypes: ['pdf', 'doc', 'docx', 'csv'],
  documentsWordless: true,
  albumItems: 1,
  buttons,
  form: formImage !== null,
  // a press in a group comes back as words that are not said to us, and a picture carries no buttons
  buttonBounds: { most: 5, labelLength: 100, privateTextOnly: true },
  edit: false,
  windowMs: (paid ? 7 : 2) * DAY_MS,
  rates: { perSecond: 10, perChatMs: 300, perGroupPerMinute: 60 },
});
