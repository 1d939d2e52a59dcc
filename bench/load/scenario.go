package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

// A scenario is a command: its flags, and how they become options. Defaults are the ones that results are
// published for.
type scenario interface{ options() (options, error) }

// runPrefix begins the names of this run's groups.
func runPrefix() string { return "load-" + strconv.FormatUint(uint64(rand.Uint32()), 36) }

type bigRoom struct {
	common
	pace
	Members    int     `help:"Members of the group; the publishers are among them." default:"5000"`
	Publishers int     `help:"Members that publish." default:"1"`
	Rate       float64 `help:"Messages a second, of all publishers together." default:"20"`
}

func (s *bigRoom) options() (options, error) {
	o := options{common: s.common, scenario: "big-room", rate: s.Rate}
	o.usePace(s.pace)
	if err := someOf(s.Publishers, s.Members); err != nil {
		return o, err
	}
	o.plan = oneRoom(runPrefix(), s.Members, s.Publishers, 0, 0)
	o.description = fmt.Sprintf("1 group of %d, %s", s.Members, o.pacing(s.Publishers))
	return o, nil
}

type hotRoom struct {
	common
	pace
	Members    int     `help:"Members of the group; the publishers are among them." default:"1000"`
	Publishers int     `help:"Members that publish." default:"4"`
	Window     int     `help:"Messages each publisher keeps under way." default:"128"`
	Rate       float64 `help:"Messages a second of all publishers together, instead of a window."`
}

func (s *hotRoom) options() (options, error) {
	o := options{common: s.common, scenario: "hot-room", rate: s.Rate, window: windowOr(s.Rate, s.Window)}
	o.usePace(s.pace)
	if err := someOf(s.Publishers, s.Members); err != nil {
		return o, err
	}
	o.plan = oneRoom(runPrefix(), s.Members, s.Publishers, 0, 0)
	o.description = fmt.Sprintf("1 group of %d, %s", s.Members, o.pacing(s.Publishers))
	return o, nil
}

type manyRooms struct {
	common
	pace
	Groups     int     `help:"Groups." default:"1000"`
	Members    int     `help:"Members of each group, one of them a publisher." default:"10"`
	Publishers int     `help:"Publishers; each is in its share of the groups." default:"16"`
	Window     int     `help:"Messages each publisher keeps under way." default:"64"`
	Rate       float64 `help:"Messages a second of all publishers together, instead of a window."`
}

func (s *manyRooms) options() (options, error) {
	o := options{common: s.common, scenario: "many-rooms", rate: s.Rate, window: windowOr(s.Rate, s.Window)}
	o.usePace(s.pace)
	if s.Groups < 1 || s.Members < 1 || s.Publishers < 1 || s.Publishers > s.Groups {
		return o, errors.New("many-rooms needs groups, members, and from one publisher to as many as groups")
	}
	o.plan = rooms(runPrefix(), s.Groups, s.Members, s.Publishers)
	o.description = fmt.Sprintf("%d groups of %d, %s", s.Groups, s.Members, o.pacing(s.Publishers))
	return o, nil
}

type manyGroups struct {
	common
	pace
	Members    int     `help:"Members." default:"1000"`
	Groups     int     `help:"Groups in all." default:"1000"`
	PerMember  int     `help:"Groups of each member." default:"100"`
	Publishers int     `help:"Members that publish, to all of their groups in turn." default:"16"`
	Window     int     `help:"Messages each publisher keeps under way." default:"16"`
	Rate       float64 `help:"Messages a second of all publishers together, instead of a window."`
}

func (s *manyGroups) options() (options, error) {
	o := options{common: s.common, scenario: "many-groups", rate: s.Rate, window: windowOr(s.Rate, s.Window)}
	o.usePace(s.pace)
	if err := someOf(s.Publishers, s.Members); err != nil {
		return o, err
	}
	if s.PerMember < 1 || s.PerMember > s.Groups {
		return o, errors.New("--per-member is from 1 to --groups")
	}
	o.plan = webs(runPrefix(), s.Members, s.Groups, s.PerMember, s.Publishers)
	o.description = fmt.Sprintf("%d members in %d of %d groups each, %s",
		s.Members, s.PerMember, s.Groups, o.pacing(s.Publishers))
	return o, nil
}

type idleCrowd struct {
	common
	Members int           `help:"Sessions." default:"10000"`
	Groups  int           `help:"Groups they are spread over, one each." default:"1000"`
	Settle  time.Duration `help:"Wait before the memory is read." default:"60s"`
	First   int           `help:"Bytes of a message that each session sends before." placeholder:"BYTES"`
}

func (s *idleCrowd) options() (options, error) {
	o := options{common: s.common, scenario: "idle", still: true, settle: s.Settle, size: stampBytes, firstBytes: s.First}
	if s.Members < 1 || s.Groups < 1 || s.Settle < 0 || s.First < 0 {
		return o, errors.New("idle needs members and groups")
	}
	o.plan = crowd(runPrefix(), s.Members, s.Groups)
	o.description = fmt.Sprintf("%d sessions in %d groups, settled for %v", s.Members, s.Groups, s.Settle)
	if s.First > 0 {
		o.description += fmt.Sprintf(", after a message of %d bytes", s.First)
	}
	return o, nil
}

type storm struct {
	common
	Connections int  `help:"Connections in all." default:"15000"`
	Groups      int  `help:"Groups they are spread over, one each." default:"1000"`
	Close       bool `help:"Hang up after the join, instead of staying until the end."`
	Healthz     bool `help:"Ask for /healthz and hang up, instead of a WebSocket and its join."`
}

func (s *storm) options() (options, error) {
	o := options{
		common: s.common, scenario: "storm", closeWhenReady: s.Close || s.Healthz, healthz: s.Healthz,
		size: stampBytes,
	}
	if s.Connections < 1 || s.Groups < 1 {
		return o, errors.New("storm needs connections and groups")
	}
	o.plan = crowd(runPrefix(), s.Connections, s.Groups)
	o.description = fmt.Sprintf("connect, upgrade, join: %d times, %d at a time", s.Connections, s.Concurrency)
	if s.Healthz {
		o.description = fmt.Sprintf("connect, GET /healthz, hang up: %d times, %d at a time", s.Connections, s.Concurrency)
	} else if s.Close {
		o.description += ", and hang up"
	}
	return o, nil
}

type churn struct {
	common
	pace
	Members    int     `help:"Members that stay, and must miss nothing." default:"500"`
	Visitors   int     `help:"Members that join, leave and reconnect." default:"500"`
	Steps      float64 `help:"Joins, leaves and reconnects a second, of all visitors together." default:"1000"`
	Publishers int     `help:"Members that publish." default:"4"`
	Rate       float64 `help:"Messages a second of all publishers together." default:"50"`
}

func (s *churn) options() (options, error) {
	o := options{common: s.common, scenario: "churn", rate: s.Rate, stepRate: s.Steps}
	o.usePace(s.pace)
	if err := someOf(s.Publishers, s.Members); err != nil {
		return o, err
	}
	if s.Visitors < 1 || s.Steps <= 0 {
		return o, errors.New("churn needs visitors and steps")
	}
	o.plan = oneRoom(runPrefix(), s.Members, s.Publishers, 0, s.Visitors)
	o.description = fmt.Sprintf("1 group of %d who stay and %d who come and go (%.0f steps/s), %s",
		s.Members, s.Visitors, s.Steps, o.pacing(s.Publishers))
	return o, nil
}

type slow struct {
	common
	pace
	Members    int     `help:"Members in all." default:"200"`
	Sleepers   int     `help:"Of these, members that never read." default:"10"`
	Publishers int     `help:"Members that publish." default:"2"`
	Rate       float64 `help:"Messages a second of all publishers together." default:"200"`
}

func (s *slow) options() (options, error) {
	o := options{common: s.common, scenario: "slow", rate: s.Rate}
	o.usePace(s.pace)
	if s.Sleepers < 0 {
		return o, errors.New("--sleepers is not negative")
	}
	if err := someOf(s.Publishers, s.Members-s.Sleepers); err != nil {
		return o, err
	}
	o.plan = oneRoom(runPrefix(), s.Members-s.Sleepers, s.Publishers, s.Sleepers, 0)
	o.description = fmt.Sprintf("1 group of %d, %d of them never read, %s", s.Members, s.Sleepers, o.pacing(s.Publishers))
	return o, nil
}

func someOf(publishers, members int) error {
	if publishers < 1 || publishers > members {
		return fmt.Errorf("%d publishers among %d members cannot be", publishers, members)
	}
	return nil
}

func windowOr(rate float64, window int) int {
	if rate > 0 {
		return 0
	}
	return window
}

func (o *options) pacing(publishers int) string {
	if o.window > 0 {
		return fmt.Sprintf("%d publishers with %d messages under way each, %d bytes", publishers, o.window, o.size)
	}
	return fmt.Sprintf("%d publishers, %g messages/s, %d bytes", publishers, o.rate, o.size)
}

// perform is what every command comes to.
func perform(ctx context.Context, s scenario) error {
	o, err := s.options()
	if err == nil {
		err = o.validate()
	}
	if err != nil {
		return err
	}
	return runAndReport(ctx, o)
}

func (s *bigRoom) Run(ctx context.Context) error    { return perform(ctx, s) }
func (s *hotRoom) Run(ctx context.Context) error    { return perform(ctx, s) }
func (s *manyRooms) Run(ctx context.Context) error  { return perform(ctx, s) }
func (s *manyGroups) Run(ctx context.Context) error { return perform(ctx, s) }
func (s *idleCrowd) Run(ctx context.Context) error  { return perform(ctx, s) }
func (s *storm) Run(ctx context.Context) error      { return perform(ctx, s) }
func (s *churn) Run(ctx context.Context) error      { return perform(ctx, s) }
func (s *slow) Run(ctx context.Context) error       { return perform(ctx, s) }
