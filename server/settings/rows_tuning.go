package settings

var tuningRows = Group{"tuning", "Tuning (the defaults are measured; leave them alone without a benchmark)", []Setting{
	{
		Name: "ring-slots", Shown: Rare, Reload: sized,
		value: powerOfTwo(func(o *Options) *int { return &o.RingSlots }, 1<<24),
		Help:  "Messages in one ring.",
	},
	{
		Name: "ring-bytes", Shown: Rare, Reload: sized,
		value: size(func(o *Options) *int { return &o.RingBytes }, 1, gib),
		Help:  "Bytes in one ring.",
	},
	{
		Name: "batch-messages", Shown: Rare, Reload: atOnce,
		value: number(func(o *Options) *int { return &o.BatchMessages }, 1, mib),
		Help:  "Messages in one batch.",
	},
	{
		Name: "batch-bytes", Shown: Rare, Reload: atOnce,
		value: size(func(o *Options) *int { return &o.BatchBytes }, 1, gib/2),
		Help:  "Bytes in one batch.",
	},
	{
		Name: "batch-marks", Shown: Rare, Reload: atOnce,
		value: number(func(o *Options) *int { return &o.BatchMarks }, 1, gib),
		Help:  "Deliveries marked in one batch.",
	},
	{
		Name: "flush-slice", Shown: Rare, Reload: atOnce,
		value: number(func(o *Options) *int { return &o.FlushSlice }, 1, gib),
		Help:  "Writes before a loop serves other events. A session that needs none counts a sixteenth.",
	},
	{
		Name: "pprof", Shown: Rare, Reload: opened,
		value: text(func(o *Options) *string { return &o.Pprof }, "ADDR", loopback),
		Help:  "Serve Go's profiles on this loopback address. Empty: do not.",
	},
}}
