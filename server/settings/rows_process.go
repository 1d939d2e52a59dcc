package settings

import "time"

var processRows = Group{"process", "Process", []Setting{
	{
		Name: "config", Shown: Usual, Reload: Reload{Why: "the file is named at the start"}, NoKey: true,
		value: text(func(o *Options) *string { return &o.ConfigFile }, "FILE", nil),
		Help:  "YAML file with any of these settings as its keys.",
	},
	{
		Name: "control", Shown: Usual, Reload: opened,
		value: text(func(o *Options) *string { return &o.Control }, "PATH", controlPath),
		Help: "Unix socket for the commands (status, stop, reload ...): its path, a directory for it, or none. " +
			"By default in /run/groupcast for root, in $XDG_RUNTIME_DIR/groupcast for others.",
	},
	{
		Name: "drain", Shown: Usual, Reload: atOnce, Preset: "10s",
		value: span(func(o *Options) *time.Duration { return &o.Drain }, 0, maxDrain),
		Help: "From SIGTERM or Ctrl+C to the end, at most. Many closes are spread over 80 % of it. 0 closes at " +
			"once.",
	},
	{
		Name: "max-memory", Shown: Usual, Reload: atOnce, Preset: "auto",
		value: budgetSize(func(o *Options) *int { return &o.MaxMemory }, 64*mib, tib),
		Help: "Memory of the whole process, the kernel's for its connections included. Near it, those that hold most " +
			"are closed, then nothing new is let in. auto is the least of GOMEMLIMIT, the container's limit and 80 % of " +
			"the machine; none is unlimited.",
	},
	{
		Name: "pid-file", Shown: Usual, Reload: Reload{Why: "it is written at the start"},
		value: text(func(o *Options) *string { return &o.PIDFile }, "FILE", nil),
		Help: "Write the process id into this file. It is removed at the end, and refused if it names a groupcast " +
			"that is running.",
	},
	{
		Name: "user", Shown: Usual, Reload: Reload{Why: "the rights are given up at the start"},
		value: text(func(o *Options) *string { return &o.User }, "USER", nil),
		Help:  "Become this user once everything is open; only root may.",
	},
	{
		Name: "group", Shown: Usual, Reload: Reload{Why: "the rights are given up at the start"},
		value: text(func(o *Options) *string { return &o.Group }, "GROUP", nil),
		Help:  "Become this group; by default the user's. There are no supplementary ones.",
	},
	{
		Name: "log-file", Shown: Usual, Reload: atOnce,
		value: text(func(o *Options) *string { return &o.LogFile }, "FILE", nil),
		Help:  "Where the log goes instead of standard error. Opened again at a reload, for logrotate.",
	},
	{
		Name: "log-level", Shown: Usual, Reload: atOnce, Preset: "info",
		value: word(func(o *Options) *string { return &o.LogLevel }, "LEVEL", "debug", "info", "warn", "error"),
		Help:  "The least important records that are logged: debug, info, warn or error.",
	},
	{
		Name: "log-format", Shown: Usual, Reload: Reload{Why: "a log has one format"}, Preset: "text",
		value: word(func(o *Options) *string { return &o.LogFormat }, "FORMAT", "text", "json"),
		Help:  "text or json. With json, the banner is one JSON record instead.",
	},
}}
