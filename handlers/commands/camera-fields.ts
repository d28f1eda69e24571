import type { CameraSettings } from '../../media/types.js';
import { PersonError } from '../../src/base/errors.js';
import { fold } from '../../src/base/vietnamese/text.js';
import type { Talk } from '../../src/chat/command.js';
import {
  assign,
  type Camera,
  type CameraChange,
  changeCamera,
  listCameras,
  unassign,
} from '../../src/store/cameras.js';
import type { Transaction } from '../../src/store/database.js';
import { peopleByRole } from '../../src/store/people.js';
import { changeSite, ensureSite } from '../../src/store/places.js';
import { probeWords } from '../camera-words.js';
import { findPeople } from '../find.js';
import type { House } from '../house.js';
import { hamletCalled } from '../saying.js';
import { checkAddress, DELETE_IT, hasSecret } from './camera-add.js';

/** One thing of a camera that is set by chat. */
export interface Field {
  name: string;
  label: string;
  /** how people call it; the first stands on its button */
  said: readonly [string, ...string[]];
  ask: string;
  chiefOnly?: true;
  /** the value is nobody's business in a group */
  privately?: true;
}

export const FIELDS = [
  { name: 'name', label: 'Tên', said: ['tên'], ask: 'Tên mới là gì ạ?' },
  { name: 'number', label: 'Số', said: ['thành số', 'số'], ask: 'Số mới là mấy ạ?' },
  {
    name: 'url',
    label: 'Địa chỉ',
    said: ['địa chỉ'],
    ask: 'Gửi em địa chỉ mới, như rtsp://tên:mật-khẩu@192.168.1.20:554/…',
    privately: true,
  },
  {
    name: 'subUrl',
    label: 'Luồng phụ',
    said: ['luồng phụ'],
    ask: 'Gửi em địa chỉ luồng phụ (hình nhỏ), hoặc gõ: bỏ',
    privately: true,
  },
  {
    name: 'site',
    label: 'Điểm lắp',
    said: ['điểm lắp đặt', 'điểm lắp', 'điểm'],
    ask: 'Điểm lắp đặt tên là gì ạ?',
  },
  {
    name: 'spot',
    label: 'Tọa độ',
    said: ['tọa độ', 'toạ độ', 'vị trí'],
    ask: 'Gửi em vĩ độ và kinh độ, ví dụ: 20.0712, 105.3921',
  },
  {
    name: 'phone',
    label: 'Điện thoại hộ',
    said: ['điện thoại', 'số điện thoại', 'sđt'],
    ask: 'Số điện thoại của hộ là gì ạ? (hoặc gõ: bỏ)',
    privately: true,
  },
  {
    name: 'consent',
    label: 'Hộ đồng ý',
    said: ['đồng ý'],
    ask: 'Hộ đã đồng ý gắn camera chưa? Gõ: rồi, hoặc: chưa',
  },
  {
    name: 'household',
    label: 'Hộ gắn camera',
    said: ['hộ gia đình', 'hộ', 'nhà'],
    ask: 'Tên hộ gắn camera là gì ạ? (hoặc gõ: bỏ)',
  },
  {
    name: 'line',
    label: 'Đường truyền',
    said: ['đường truyền', 'mạng'],
    ask: 'Camera dùng mạng nào? Ví dụ: Viettel nhà ông Bình (hoặc gõ: bỏ)',
  },
  {
    name: 'switch',
    label: 'Switch',
    said: ['switch', 'bộ chia'],
    ask: 'Camera cắm vào switch hay cổng modem nào? (hoặc gõ: bỏ)',
  },
  {
    name: 'technician',
    label: 'Kỹ thuật viên',
    said: ['kỹ thuật viên', 'kỹ thuật', 'giao cho', 'giao'],
    ask: 'Giao cho kỹ thuật viên nào ạ? (hoặc gõ: bỏ <tên>)',
    chiefOnly: true,
  },
  {
    name: 'retention',
    label: 'Số ngày giữ',
    said: ['giữ hình', 'giữ', 'lưu'],
    ask: 'Giữ hình bao nhiêu ngày ạ? (hoặc gõ: mặc định)',
  },
  {
    name: 'audio',
    label: 'Ghi tiếng',
    said: ['ghi tiếng', 'tiếng', 'âm thanh'],
    ask: 'Ghi tiếng không ạ? Gõ: có, hoặc: không',
  },
  {
    name: 'transport',
    label: 'TCP/UDP',
    said: ['truyền', 'giao thức'],
    ask: 'Lấy hình bằng tcp hay udp ạ? (thường là tcp)',
  },
  {
    name: 'hamlet',
    label: 'Thôn',
    said: ['thôn', 'tiểu khu', 'khu phố', 'xóm', 'ấp'],
    ask: 'Camera ở thôn nào ạ?',
  },
] as const satisfies readonly Field[];

export type FieldName = (typeof FIELDS)[number]['name'];

const NOTHING = new Set(['bo', 'khong', 'khong co', 'xoa', 'trong']);
const YES = new Set(['roi', 'co', 'dong y', 'bat', 'da', 'yes', 'ok', 'da dong y']);

/** What one field's new value means: what to tell the recorder, what to write, and how to say it. */
interface Meaning {
  recorder?: Partial<Omit<CameraSettings, 'id'>>;
  write?: (tx: Transaction) => Promise<void>;
  said: string;
  /** for the log, without secrets and phones */
  detail: string;
}

const short = (value: string, what: string, most = 80): string => {
  const text = value.trim();
  if (text.length > most) throw new PersonError(`${what} dài quá, xin viết trong ${most} chữ cái.`);
  return text;
};

/** Reads a field's new value, tries an address; throws with what to do when it can't be. */
export async function meaningOf(
  house: House,
  talk: Talk,
  camera: Camera,
  field: FieldName,
  value: string,
): Promise<Meaning> {
  const folded = fold(value);
  const nothing = NOTHING.has(folded);
  const plain = (key: 'householdName' | 'line' | 'switch', what: string): Meaning => {
    const text = nothing ? null : short(value, what);
    const change: CameraChange = { [key]: text };
    return {
      write: (tx) => changeCamera(tx, camera.id, change),
      said: text === null ? `đã bỏ ${what.toLowerCase()}` : `${what.toLowerCase()}: ${text}`,
      detail: text ?? '(bỏ)',
    };
  };
  switch (field) {
    case 'name': {
      const name = short(value, 'Tên');
      const clash = (await listCameras(house.db)).find(
        (one) => one.id !== camera.id && fold(one.name) === folded,
      );
      if (clash !== undefined)
        throw new PersonError(
          `Camera ${clash.number} đã tên là ${clash.name}. Xin đặt tên khác cho khỏi nhầm.`,
        );
      return {
        recorder: { name },
        write: (tx) => changeCamera(tx, camera.id, { name }),
        said: `tên mới: ${name}`,
        detail: `${camera.name} → ${name}`,
      };
    }
    case 'number': {
      const number = Number(folded);
      if (!Number.isInteger(number) || number < 1 || number > 9999)
        throw new PersonError('Số của camera là số từ 1 đến 9999.');
      const clash = (await listCameras(house.db)).find(
        (one) => one.id !== camera.id && one.number === number,
      );
      if (clash !== undefined)
        throw new PersonError(`Số ${number} đang là camera ${clash.name}. Xin chọn số khác.`);
      return {
        write: (tx) => changeCamera(tx, camera.id, { number }),
        said: `số mới: ${number}`,
        detail: `${camera.number} → ${number}`,
      };
    }
    case 'url':
    case 'subUrl': {
      if (field === 'subUrl' && nothing)
        return { recorder: { subUrl: null }, said: 'đã bỏ luồng phụ', detail: '(bỏ)' };
      checkAddress(value, house.settings.demo);
      await talk.progress('Em đang thử kết nối tới camera…');
      const probe = await house.recorder.probe({ url: value });
      if (!probe.ok)
        throw new PersonError(`Chưa đổi. ${probeWords(probe)}${hasSecret(value) ? `\n\n${DELETE_IT}` : ''}`);
      return {
        recorder: field === 'url' ? { url: value } : { subUrl: value },
        said: `${field === 'url' ? 'địa chỉ mới' : 'luồng phụ mới'} có hình ${probe.width}×${probe.height}${hasSecret(value) ? `.\n\n${DELETE_IT}` : ''}`,
        detail: 'địa chỉ mới',
      };
    }
    case 'hamlet': {
      const hamlet = await hamletCalled(house, value);
      return {
        write: async (tx) => {
          // A site stands in one hamlet: a site that others share is left, and the camera gets one of its own.
          const shared = (await listCameras(tx)).some(
            (one) => one.id !== camera.id && one.site?.id === camera.site?.id,
          );
          if (camera.site !== null && (!shared || camera.hamletId === null))
            await changeSite(tx, camera.site.id, { hamletId: hamlet.id });
          else {
            const site = await ensureSite(tx, `${camera.name} (${hamlet.name})`, hamlet.id);
            await changeCamera(tx, camera.id, { siteId: site.id });
          }
        },
        said: `thuộc ${hamlet.name}`,
        detail: hamlet.name,
      };
    }
    case 'site': {
      const name = short(value, 'Tên điểm lắp');
      return {
        write: async (tx) => {
          const site = await ensureSite(tx, name, camera.hamletId);
          await changeCamera(tx, camera.id, { siteId: site.id });
        },
        said: `điểm lắp: ${name}`,
        detail: name,
      };
    }
    case 'spot': {
      const match = /(-?\d{1,3}[.,]\d+)\s*[,; ]\s*(-?\d{1,3}[.,]\d+)/.exec(value);
      const at = talk.message.place ?? null;
      const latitude = at?.latitude ?? Number(match?.[1]?.replace(',', '.'));
      const longitude = at?.longitude ?? Number(match?.[2]?.replace(',', '.'));
      if (!(latitude >= -90 && latitude <= 90 && longitude >= -180 && longitude <= 180))
        throw new PersonError('Tọa độ gồm vĩ độ và kinh độ, ví dụ: 20.0712, 105.3921');
      return {
        write: async (tx) => {
          const site = camera.site ?? (await ensureSite(tx, camera.name, null));
          await changeSite(tx, site.id, { latitude, longitude });
          if (camera.site === null) await changeCamera(tx, camera.id, { siteId: site.id });
        },
        said: `tọa độ: ${latitude}, ${longitude}`,
        detail: `${latitude}, ${longitude}`,
      };
    }
    case 'household':
      return plain('householdName', 'Hộ gắn camera');
    case 'line':
      return plain('line', 'Đường truyền');
    case 'switch':
      return plain('switch', 'Switch');
    case 'phone': {
      const digits = value.replace(/[\s.()-]/g, '');
      if (!nothing && !/^\+?\d{9,12}$/.test(digits))
        throw new PersonError('Số điện thoại chưa đúng, ví dụ: 0912 345 678');
      const sealed = nothing ? null : house.seal.seal(digits);
      return {
        write: (tx) => changeCamera(tx, camera.id, { householdPhoneSealed: sealed }),
        said: nothing ? 'đã bỏ số điện thoại' : 'đã lưu số điện thoại của hộ (mã hóa)',
        detail: nothing ? '(bỏ)' : 'số điện thoại mới',
      };
    }
    case 'consent': {
      const yes = YES.has(folded);
      return {
        write: (tx) => changeCamera(tx, camera.id, { consentMs: yes ? talk.nowMs : null }),
        said: yes ? 'đã ghi: hộ đồng ý' : 'đã ghi: hộ chưa đồng ý',
        detail: yes ? 'đồng ý' : 'chưa đồng ý',
      };
    }
    case 'technician': {
      const drop = /^(?:bỏ|bo|thôi)\s+(.+)$/iu.exec(value);
      const technicians = await peopleByRole(house.db, 'technician');
      const found = findPeople(technicians, drop?.[1] ?? value);
      const person = found.exact[0];
      if (found.exact.length !== 1 || person === undefined)
        throw new PersonError(
          technicians.length === 0
            ? 'Chưa có kỹ thuật viên nào. Mời bằng cách gõ: mời kỹ thuật viên'
            : `Giao cho ai ạ? Đang có: ${technicians.map((one) => one.name).join(', ')}.`,
        );
      return {
        write: (tx) =>
          drop === null ? assign(tx, person.id, camera.id) : unassign(tx, person.id, camera.id),
        said: drop === null ? `giao cho ${person.name}` : `không còn giao cho ${person.name}`,
        detail: `${drop === null ? 'giao' : 'thôi giao'} ${person.name}`,
      };
    }
    case 'retention': {
      const days = folded === 'mac dinh' || nothing ? null : Number(/\d+/.exec(folded)?.[0]);
      if (days !== null && !(days >= 1 && days <= 3650))
        throw new PersonError('Số ngày giữ hình từ 1 đến 3650, ví dụ: 45 ngày');
      return {
        recorder: { retentionDays: days },
        said:
          days === null
            ? `giữ hình ${house.settings.retentionDays} ngày như mọi camera`
            : `giữ hình ${days} ngày`,
        detail: days === null ? 'mặc định' : `${days} ngày`,
      };
    }
    case 'audio': {
      const audio = YES.has(folded);
      return {
        recorder: { audio },
        said: audio ? 'có ghi tiếng' : 'không ghi tiếng',
        detail: audio ? 'có' : 'không',
      };
    }
    case 'transport': {
      if (folded !== 'tcp' && folded !== 'udp') throw new PersonError('Xin gõ tcp hoặc udp.');
      return { recorder: { transport: folded }, said: `lấy hình bằng ${folded}`, detail: folded };
    }
  }
}
