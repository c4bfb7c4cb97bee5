import type { Said } from './sentences';

// What the gate says: the reasons of its decisions, why a change is paused, and what is worth to tidy up.

const flights: [string, string][] = [
  ['', ''],
  ['; a rollout under way may finish', '，进行中的发布可以完成'],
  ['; a rollout under way is held', '，进行中的发布暂停'],
  ['; a rollout under way is to be rolled back', '，进行中的发布回滚'],
  ['; (?:kind|role) \\S+ is exempt', '，此变更豁免'],
];
const freezes = flights.flatMap(([how, zh]): Said[] => [
  [new RegExp(`^freeze (\\S+) \\((.+?)\\) holds until (\\S+Z)${how}$`), `封网 $1（$2）到 $3 为止${zh}`],
  [new RegExp(`^freeze (\\S+) \\((.+?)\\) holds until (\\S+Z)${how}: (.+)$`), `封网 $1（$2）到 $3 为止${zh}：$4`],
]);

const ends: [string, string][] = [
  ['until it has finished', '要等它完成'],
  ['until its bake ends at (\\S+Z)', '要等它观察到 $5'],
];
const collisions = ends.flatMap(([end, zh]): Said[] => [
  [
    new RegExp(`^(\\S+) \\((.+)\\) of (.+?) is under way in service (\\S*) ${end}$`),
    `$1（$2，$3）正在服务 $4 上发布，${zh}`,
  ],
  [
    new RegExp(`^(\\S+) \\((.+)\\) of (.+?) is under way in every store ${end}$`),
    `$1（$2，$3）正在全部门店发布，${zh}`,
  ],
  [new RegExp(`^(\\S+) \\((.+)\\) of (.+?) is under way in (.+?) ${end}$`), `$1（$2，$3）正在 $4 发布，${zh}`],
]);
// "in every store" has no fourth part: its end is the fourth.
collisions[4]![1] = collisions[4]![1].replace('$5', '$4');

const shares = (
  [
    ['wait until others have finished', '要等其他变更完成'],
    ['go out in smaller stages', '请分成更小的批次'],
  ] as const
).flatMap(([then, zh]): Said[] => [
  [
    new RegExp(
      `^(\\d+) of the (\\d+) stores of the chain would be under change at once, (\\d+) of them by this change, and (.+?) is the most; ${then}$`,
    ),
    `全部 $2 家门店中将有 $1 家同时在变更（本次 $3 家），上限 $4；${zh}`,
  ],
  [
    new RegExp(
      `^(\\d+) of the (\\d+) stores of (.+) would be under change at once, (\\d+) of them by this change, and (.+?) is the most; ${then}$`,
    ),
    `$3 的 $2 家门店中将有 $1 家同时在变更（本次 $4 家），上限 $5；${zh}`,
  ],
]);

// What of a red line is crossed: by itself, and within the reason that says so. $n counts from where it stands.
const crossed: [string, (n: number) => string][] = [
  [
    '(\\S+) of (\\S+) was (\\S+) over the last (\\S+), (?:under|over) the limit of (\\S+)',
    (n) => `$${n + 1} {indicator:$${n}}近 $${n + 3} 为 $${n + 2}，限值 $${n + 4}`,
  ],
  [
    '(\\d+) of (\\d+) stores are dark, and (.+?) is the limit',
    (n) => `$${n + 1} 家门店中 $${n} 家失联，限值 $${n + 2}`,
  ],
  [
    '(\\d+) of (\\d+) stores are under change, and (.+?) is the limit',
    (n) => `$${n + 1} 家门店中 $${n} 家在变更，限值 $${n + 2}`,
  ],
];
const redLines = crossed.flatMap(([what, zh]): Said[] => [
  [new RegExp(`^${what}$`), zh(1)],
  [
    new RegExp(`^red line (.+) is crossed since (\\S+Z): ${what}; nothing goes out until it is over$`),
    `红线 $1 自 $2 起被突破，恢复前不放行：${zh(3)}`,
  ],
]);

// Long spans are told in days.
const spans: [string, string][] = [
  ['(\\d+) days', '$S 天'],
  ['(.+?)', '$S'],
];
const over = spans.flatMap(([span, zh]): Said[] => {
  const at = (n: number) => zh.replace('S', String(n));
  return [
    [
      new RegExp(`^freeze (.+) held nothing back in the last ${span}(?:; it closes next, or is closed, at \\S+)?$`),
      `封网 $1 近 ${at(2)} 没有拦下任何变更`,
    ],
    [new RegExp(`^policy (\\S+) held in no decision of the last ${span}$`), `策略 $1 近 ${at(2)} 从未命中`],
    [
      new RegExp(`^none of the (\\d+) changes of (\\S+) in the last ${span} named a way back$`),
      `$2 近 ${at(3)} 的 $1 个变更都没有写明如何回滚`,
    ],
  ];
});

export const gate: Said[] = [
  ...redLines,
  ...over,
  ...freezes,
  ...collisions,
  ...shares,
  [/^the gate is under maintenance until (\S+Z) and holds nothing back: (.+)$/, '门禁维护到 $1，暂不拦截：$2'],
  [/^the gate is under maintenance until (\S+Z) and lets nothing out: (.+)$/, '门禁维护到 $1，暂停一切发布：$2'],
  [/^(.+) broke the glass until (\S+Z): (.+)$/, '$1紧急放行到 $2：$3'],
  [/^(\S+) is paused; resume it first$/, '$1 已暂停，请先继续'],
  [/^(\S+) is (?:finished|rolled_back|aborted); record a new change$/, '$1 已经结束，请登记新的变更'],
  [/^(\S+) is (?:finished|rolled_back|aborted)$/, '$1 已经结束'],
  [/^stage (\d+) of (\S+) was started by (.+?) at (\S+Z); ask for the next stage$/, '$2 的第 $1 阶段已由$3于 $4 开始'],
  [/^stage (\d+) was rolled back; record a new change$/, '第 $1 阶段已回滚，请登记新的变更'],
  [/^stage (\d+) would skip stage (\d+), which has not finished$/, '第 $1 阶段跳过了尚未完成的第 $2 阶段'],
  [/^stage (\d+) has not finished yet$/, '第 $1 阶段尚未完成'],
  [/^stage (\d+) is unhealthy; roll it back$/, '第 $1 阶段不健康，请回滚'],
  [/^stage (\d+) is unhealthy: (.+); roll it back$/, '第 $1 阶段不健康，请回滚：$2'],
  [/^stage (\d+) bakes until (\S+Z) \((\S+) more\)$/, '第 $1 阶段观察到 $2（还有 $3）'],
  [/^the bake of stage (\d+) is over and its verdict is being computed$/, '第 $1 阶段观察期已过，正在得出结论'],
  [/^the bake of stage (\d+) saw too little to say that it is healthy$/, '第 $1 阶段数据太少，无法判断是否健康'],
  [/^the bake of stage (\d+) saw too little to say that it is healthy: (.+)$/, '第 $1 阶段数据太少，无法判断：$2'],
  [/^stage (\d+) is healthy$/, '第 $1 阶段健康'],
  [/^evidence is missing of (.+); give a link for each under reviews$/, '缺少评审材料：$1'],
  [/^it names no way back: .+$/, '没有写明如何回滚'],
  [/^its way back is no plan that could have been rehearsed$/, '回滚办法不是可以演练的预案'],
  [/^the plan that is its way back was never rehearsed: .+$/, '作为回滚办法的预案从未演练'],
  [
    /^the plan that is its way back was last rehearsed on (\S+), more than (.+) ago$/,
    '回滚预案上次演练是 $1，已超过 $2',
  ],
  [/^its way back was rehearsed on (\S+)$/, '回滚预案于 $1 演练过'],
  [/^(\d+) of (\d+) approvals; someone other than (.+?) of (.+?) must approve$/, '审批 $1/$2，须由 $4 批准（$3 除外）'],
  [/^(\d+) of (\d+) approvals; someone other than (.+?) must approve$/, '审批 $1/$2，须由 $3 以外的人批准'],
  [
    /^(\d+) of (\d+) approvals; someone other than (.+?) must approve \(not counted: (.+)\)$/,
    '审批 $1/$2，须由 $3 以外的人批准（不计：$4）',
  ],
  [/^approved by (.+)$/, '$1 已批准'],
  [/^nobody approves their own change$/, '不能批准自己的变更'],
  [/^this takes the role commander$/, '需要指挥员的角色'],
  [/^this takes the role responder$/, '需要处置员的角色'],
  [/^being rolled back by the plan (\S+): (.+)$/, '正由预案 $1 回滚：$2'],
  [/^stage (\d+) was rolled back$/, '第 $1 批已回滚'],
  [/^you are not of those who count$/, '你不在有效审批人之列'],
  [
    /^(\S+) burns its error budget (\S+) times too fast over the last (\S+) and (\S+) over (\S+) \((\S+) is the limit\) since (\S+Z); (.+?) of the budget of (.+) is left$/,
    '$1 近 $3 以允许速度的 $2 倍、近 $5 以 $4 倍消耗错误预算（上限 $6 倍，自 $7 起），$9 的预算还剩 $8',
  ],
  [
    /^(.+?) of the error budget of (\S+) is left, burning (\S+) times as fast as it may$/,
    '$2 的错误预算还剩 $1，消耗速度为允许的 $3 倍',
  ],
  [/^how (\S+) stands against its objective of (.+?) is not known: there are no samples$/, '$1（目标 $2）没有数据'],
  [/^more than (.+) of the stores dark$/, '失联门店超过 $1'],
  [/^more than (.+) of the stores under change$/, '变更中的门店超过 $1'],
  [/^(\S+) of (\S+) under (\S+), over (\S+)$/, '$2 {indicator:$1}近 $4 低于 $3'],
  [/^(\S+) of (\S+) over (\S+), over (\S+)$/, '$2 {indicator:$1}近 $4 高于 $3'],
  [/^the catalog does not list this service, .+$/, '目录里没有这个服务，按等级、链路和预算的规则对它无效'],
  [/^a rollback is never held back$/, '回滚从不被拦截'],
  [/^it is the first suspect of (\S+) \((.+)\) with a probability of (\S+)$/, '它是 $1（$2）的首要嫌疑，概率 $3'],
  [/^(\S+) \((.+)\) was confirmed to come from it$/, '已确认 $1（$2）由它引起'],

  [
    /^(.+?) broke the glass for (\S+) \((.+)\); the review by (.+?) is due by (\S+)$/,
    '$1对 $2 紧急放行（$3），须在 $5 前复核',
  ],
  [
    /^(.+?) broke the glass for (\S+) \((.+)\); the review by (.+?) is overdue since (\S+)$/,
    '$1对 $2 紧急放行（$3），复核自 $5 起逾期',
  ],
  [/^freeze (.+) was closed from (\S+) to (\S+) and held nothing back$/, '封网 $1 从 $2 到 $3 没有拦下任何变更'],
  [
    /^(.+) gave all of (\d+) approvals within (.+) of the change being recorded$/,
    '$1 的 $2 次批准都在变更登记后 $3 内给出',
  ],
  [/^(\S+) \((.+)\) of (.+?) is \S+ and did not move since (\S+)$/, '$1（$2，$3）自 $4 起没有动静'],
  [/^look at why it was needed, .+$/, '弄清为什么需要放行，改规则或改变更，再完成复核'],
  [/^lift it, and ask whether .+$/, '解除它，并考虑下次是否还需要，范围是否合适'],
  [/^lift it, or look whether .+$/, '解除它，或核对范围和时间'],
  [/^try it on the past with .+$/, '先对过去试运行，再删掉它或改正条件'],
  [/^ask for fewer approvals by risk, .+$/, '按风险减少审批次数，让每次都认真看；或换审批人'],
  [/^say how it ended .+$/, '说明它如何结束，并让发布任务自动上报'],
  [/^write a plan that undoes one, .+$/, '写一个回滚预案，填在 rollback 里，并用 gate.rollback.required 强制要求'],
];

/** Sentences that end in the title of an incident. */
export const gateEnds: Said[] = [
  [/^(\S+) \((P\d), (.+)\) is open in this scope$/, '$1（$2）未解决，范围重叠：'],
  [
    /^(\S+) \((P\d), (.+)\) is open and this change is its first suspect; .+$/,
    '$1（$2）未解决，本变更是首要嫌疑，请回滚或排除嫌疑：',
  ],
];
