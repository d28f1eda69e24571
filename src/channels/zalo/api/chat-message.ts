import { z } from 'zod';

const words = z
  .union([z.string(), z.number().transform(String)])
  .nullish()
  .catch(undefined);
const number = z.coerce.number().optional().catch(undefined);

/**
 * A message as conversations list it, of a person or of a group. [?] which fields there are beside these: what is of
 * another kind than we think is left out, and takes no other message with it.
 */
export const chatMessage = z.looseObject({
  message_id: z.union([z.string().min(1), z.number().transform(String)]),
  /** 0: from the OA, 1: from the person */
  src: number,
  time: number,
  type: words,
  message: words,
  url: words,
  thumb: words,
  description: words,
  links: z
    .array(z.looseObject({ url: words, description: words }))
    .nullish()
    .catch(undefined),
  location: words,
  from_id: words,
  to_id: words,
  from_display_name: words,
  /** in a group: the message that is answered */
  quote_message_id: words,
});

export type ChatMessage = z.output<typeof chatMessage>;
