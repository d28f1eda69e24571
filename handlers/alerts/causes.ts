import type { Cause } from '../../media/types.js';

interface Words {
  /** what happened, as it follows "camera 5 …": "không kết nối được" */
  reason: string;
  /** what to try first; null where nothing can be done from outside */
  hint: string | null;
}

const CAUSES: Record<Cause, Words> = {
  unreachable: {
    reason: 'không kết nối được',
    hint: 'Thường do mất điện, rút nhầm phích, đổi modem hoặc mất mạng. Hãy gọi hộ đang gắn camera hỏi trước.',
  },
  refused: {
    reason: 'camera không nhận mật khẩu',
    hint: 'Có thể ai đó đã đổi mật khẩu camera. Kỹ thuật viên nhập lại bằng: camera sửa <số> địa chỉ.',
  },
  'not-found': {
    reason: 'camera có trả lời nhưng không có luồng hình ở địa chỉ đã khai',
    hint: 'Có thể camera vừa đổi máy hoặc khôi phục cài đặt. Kỹ thuật viên kiểm tra lại địa chỉ.',
  },
  'not-video': {
    reason: 'địa chỉ không trả về hình',
    hint: 'Kỹ thuật viên kiểm tra lại địa chỉ hoặc kiểu nén của camera (H.264 hoặc H.265).',
  },
  silent: {
    reason: 'camera vẫn bật nhưng không gửi hình',
    hint: 'Thường do mạng yếu hoặc camera treo. Hãy nhờ hộ rút điện camera, đợi 10 giây rồi cắm lại.',
  },
  broken: {
    reason: 'hình gửi về bị hỏng',
    hint: 'Thường do mạng yếu. Nếu kéo dài, hãy nhờ hộ rút điện camera rồi cắm lại.',
  },
  'switched-off': { reason: 'đã được tắt', hint: null },
  'recorder-down': {
    reason: 'máy ghi bị ngừng',
    hint: 'Hãy xem máy chủ còn bật và còn mạng không.',
  },
  disk: {
    reason: 'ổ cứng không ghi được',
    hint: 'Hãy xem ổ cứng còn chỗ trống và còn cắm không.',
  },
  settings: { reason: 'kết nối lại sau khi đổi cài đặt camera', hint: null },
};

/** A cause in plain words, whatever a newer recorder may call it. */
export function causeWords(cause: string | null): Words {
  return (
    CAUSES[cause as Cause] ?? {
      reason: 'mất hình, chưa rõ vì sao',
      hint: 'Hãy gọi hộ đang gắn camera hỏi trước.',
    }
  );
}

const GAPS: Record<string, string> = {
  deleted: 'đoạn này không còn lưu',
  'removed-by-others':
    'đã ghi được, nhưng tệp hình sau đó bị xóa khỏi ổ cứng, không phải do Mắt Thần xóa; hãy báo kỹ thuật viên và lãnh đạo',
  damaged: 'đã ghi được, nhưng tệp hình bị hỏng ở đoạn này; hãy nhờ kỹ thuật viên kiểm tra ổ cứng',
  'clock-set': 'giờ này không có thật, đồng hồ máy vừa được chỉnh nhanh lên',
  unknown: 'lúc đó chưa ghi được hình',
};

/** Why a stretch of footage is missing, in plain words. */
export const gapWords = (cause: string): string => GAPS[cause] ?? causeWords(cause).reason;
