package settings

import "time"

var apiLimitsRows = Group{"api-limits", "Limits of the API", []Setting{
	{
		Name: "api-max-conns", Shown: Rare, Reload: forNew,
		value: number(func(o *Options) *int { return &o.APILimits.MaxConns }, 1, mib),
		Help: "Connections to the API, within an eighth of the open-files limit. Those that have shown no token " +
			"make room for the next; where none has not, it is answered 503 and closed.",
	},
	{
		Name: "api-max-scrapes", Shown: Rare, Reload: forNew,
		value: number(func(o *Options) *int { return &o.APILimits.MaxScrapes }, 1, mib),
		Help:  "Answers to /metrics being made at one time. Beyond that they are answered 503.",
	},
	{
		Name: "api-max-requests", Shown: Rare, Reload: forNew,
		value: number(func(o *Options) *int { return &o.APILimits.MaxInFlight }, 1, mib),
		Help:  "Requests being worked on at one time, health left out. Beyond that they are answered 503.",
	},
	{
		Name: "api-max-listings", Shown: Rare, Reload: forNew,
		value: number(func(o *Options) *int { return &o.APILimits.MaxListings }, 1, mib),
		Help:  "Listings being made at one time. Others wait for --api-query-timeout.",
	},
	{
		Name: "api-max-batch", Shown: Rare, Reload: forNew, Preset: "0",
		value: size(func(o *Options) *int { return &o.APILimits.MaxBatchBytes }, 0, gib),
		Help:  "Body of POST /v1/publish. 0 is 1MiB, or twice --max-message where that is more.",
	},
	{
		Name: "api-max-batch-items", Shown: Rare, Reload: forNew,
		value: number(func(o *Options) *int { return &o.APILimits.MaxBatchItems }, 1, mib),
		Help:  "Items of one batch.",
	},
	{
		Name: "api-publish-timeout", Shown: Rare, Reload: forNew,
		value: span(func(o *Options) *time.Duration { return &o.APILimits.PublishTimeout }, shortWait, apiLongest),
		Help:  "How long a publication, or a whole batch, waits for room in the ring. Then it is answered 503.",
	},
	{
		Name: "api-query-timeout", Shown: Rare, Reload: forNew,
		value: span(func(o *Options) *time.Duration { return &o.APILimits.QueryTimeout }, shortWait, apiLongest),
		Help:  "How long a request waits for answers of the loops. Then it is answered 503.",
	},
	{
		Name: "api-max-stall", Shown: Rare, Reload: forNew,
		value: span(func(o *Options) *time.Duration { return &o.APILimits.StallAfter }, shortWait, apiLongest),
		Help:  "A loop's silence after which /readyz says that the server is not ready.",
	},
	{
		Name: "api-max-sample-age", Shown: Rare, Reload: forNew,
		value: span(func(o *Options) *time.Duration { return &o.APILimits.MaxSampleAge }, shortWait, apiLongest),
		Help:  "Age of the last sample of the loops after which /readyz says the same.",
	},
	{
		Name: "api-max-head", Shown: Rare, Reload: taken,
		value: size(func(o *Options) *int { return &o.APIServer.MaxHeaderBytes }, 256, mib),
		Help:  "Line and headers of a request; 4KiB more may pass.",
	},
	{
		Name: "api-head-timeout", Shown: Rare, Reload: taken,
		value: span(func(o *Options) *time.Duration { return &o.APIServer.ReadHeaderTimeout }, shortWait, day),
		Help:  "How long these may take to arrive.",
	},
	{
		Name: "api-read-timeout", Shown: Rare, Reload: taken,
		value: span(func(o *Options) *time.Duration { return &o.APIServer.ReadTimeout }, shortWait, day),
		Help:  "How long a whole request may take to arrive.",
	},
	{
		Name: "api-write-timeout", Shown: Rare, Reload: taken,
		value: span(func(o *Options) *time.Duration { return &o.APIServer.WriteTimeout }, shortWait, day),
		Help: "How long it may take from there until the answer is sent. Longer than --api-publish-timeout and " +
			"--api-query-timeout.",
	},
	{
		Name: "api-idle-timeout", Shown: Rare, Reload: taken,
		value: span(func(o *Options) *time.Duration { return &o.APIServer.IdleTimeout }, shortWait, day),
		Help:  "How long a connection waits for its next request.",
	},
	{
		Name: "api-close-timeout", Shown: Rare, Reload: taken, Preset: "500ms",
		value: span(func(o *Options) *time.Duration { return &o.APICloseTimeout }, 0, maxClose),
		Help:  "How long the answers that are being written when the server ends may still take.",
	},
}}
