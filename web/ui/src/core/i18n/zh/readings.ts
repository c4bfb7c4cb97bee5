// Why a device is degraded, in Chinese.
import type { Said } from './sentences';

export const readings: Said[] = [
  [/^it says so itself: degraded$/, '设备自报性能下降'],
  [/^it says so itself: fault$/, '设备自报故障'],
  [/^(battery|temperature|paper|queue) (.+) is below (.+)$/, '{reading:$1} $2 低于 $3'],
  [/^(battery|temperature|paper|queue) (.+) is above (.+)$/, '{reading:$1} $2 高于 $3'],
  [/^(battery|temperature|paper|queue) (.+) is not yet back at (.+)$/, '{reading:$1} $2 尚未回到 $3'],
];
