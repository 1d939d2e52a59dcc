package settings

import (
	"time"
)

// What a reload may do.
var (
	atOnce = Reload{When: AtOnce}
	forNew = Reload{When: ForNew}
	opened = Reload{Why: "listeners are opened at the start"}
	sized  = Reload{Why: "it is a size that is built in at the start"}
	taken  = Reload{Why: "it is taken at the start"}
	keyed  = Reload{
		When:   ForNew,
		Switch: "the first source of keys of its kind, and the last, are taken at the start",
	}
	counted = Reload{When: ForNew, Switch: "it is counted from the start or not at all: it cannot be switched on or off"}
)

const (
	day       = 24 * time.Hour
	shortest  = 50 * time.Millisecond // of the loops' clock
	shortWait = 10 * time.Millisecond
	// apiLongest leaves --api-write-timeout time for the answer.
	apiLongest = 30 * time.Second
	// maxDrain keeps a typing error ("10h" for "10s") from making a process that
	// cannot be stopped politely.
	maxDrain = time.Hour
	// maxClose comes after --drain, and has to be over before the program takes the
	// end for one that hangs.
	maxClose = 3 * time.Second
)

// Groups are all settings: one row for each. checks.go has what two of them have
// to do with each other.
var Groups = []Group{
	listeningRows,
	edgeRows,
	tokensRows,
	connsRows,
	sessionsRows,
	groupsRows,
	backendsRows,
	natsRows,
	processRows,
	apiLimitsRows,
	channelLimitsRows,
	tuningRows,
}
