// The binary frames of the fleet topic, little-endian: u8 type, u8 version, u16 zero, u32 layout, then
// one byte a cell (snapshot) or one u32 a changed cell: state<<24 | index (delta).
export type FleetFrame =
  { type: 'snapshot'; layout: number; states: Uint8Array } | { type: 'delta'; layout: number; cells: Uint32Array };

const HEADER = 8;

/** Reads one frame; null when it is of a kind or version that this client does not know. */
export function decodeFleetFrame(buffer: ArrayBuffer): FleetFrame | null {
  if (buffer.byteLength < HEADER) return null;
  const view = new DataView(buffer);
  if (view.getUint8(1) !== 1) return null;
  const layout = view.getUint32(4, true);
  switch (view.getUint8(0)) {
    case 1:
      return { type: 'snapshot', layout, states: new Uint8Array(buffer, HEADER) };
    case 2:
      return { type: 'delta', layout, cells: readCells(view) };
    default:
      return null;
  }
}

function readCells(view: DataView): Uint32Array {
  const n = (view.byteLength - HEADER) >> 2;
  const cells = new Uint32Array(n);
  for (let i = 0; i < n; i++) cells[i] = view.getUint32(HEADER + i * 4, true);
  return cells;
}

/** The bytes of base64 text, as the wall's cells come in JSON. */
export function decodeBase64(text: string): Uint8Array {
  const raw = atob(text);
  const out = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
  return out;
}
