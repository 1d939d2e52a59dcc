package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"groupcast/loop"
	"groupcast/server/control"
)

// connections lists sessions, page by page: the first are printed before the
// last are asked for. The connections to the Channel server are behind them.
func connections(ctx context.Context, flags connectionsFlags, stdout io.Writer) error {
	if flags.Limit < 0 {
		return fmt.Errorf("--limit: wants 0 or more, got %d", flags.Limit)
	}
	client, _, err := flags.connect(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	list := newSessionList(paperOf(stdout))
	after := ""
	for {
		limit := loop.MaxPage
		if flags.Limit > 0 {
			limit = min(limit, flags.Limit-list.printed)
		}
		page, next, err := askSessions(ctx, client, after, limit)
		if err != nil {
			return err
		}
		text := ""
		if flags.JSON {
			text = list.json(page)
		} else {
			text = list.table(page)
		}
		if _, err := io.WriteString(stdout, text); err != nil {
			return err
		}
		after = next
		if flags.Limit > 0 && list.printed >= flags.Limit {
			return nil
		}
		if next == "" {
			return channelConnections(ctx, client, flags, list.printed, stdout)
		}
	}
}

// channelConnections lists the connections to the Channel server, if there are any;
// printed is how many lines of the limit are used up.
func channelConnections(ctx context.Context, client *control.Client, flags connectionsFlags, printed int,
	stdout io.Writer,
) error {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	list, raw, err := client.ChannelConnections(ctx)
	if err != nil || len(list) == 0 {
		return err
	}
	if flags.Limit > 0 {
		most := min(len(list), flags.Limit-printed)
		list, raw = list[:most], raw[:most]
	}
	text := ""
	if flags.JSON {
		for _, one := range raw {
			text += jsonLine(one)
		}
	} else {
		text = "\n" + channelTable(paperOf(stdout), list)
	}
	_, err = io.WriteString(stdout, text)
	return err
}

var channelColumns = []column{
	{title: "channel", least: 8},
	{title: "name", rank: 5},
	{title: "channels", right: true, rank: 2},
	{title: "queued", right: true, rank: 1},
	{title: "idle", right: true, rank: 3},
	{title: "age", right: true, rank: 4},
	{title: "state"},
}

// channelTable is one row for each connection to the Channel server.
func channelTable(p paper, list []control.ChannelConnection) string {
	rows := make([][]cell, len(list))
	for i, c := range list {
		state := cell{"open", green}
		if c.Busy {
			state = cell{"busy", plain}
		}
		name := "-"
		if c.Name != "" {
			name = printable(c.Name)
		}
		rows[i] = []cell{
			{text: printable(c.Peer)},
			{text: name},
			{text: thousands(c.Channels)},
			{text: size(c.QueuedBytes)},
			{text: span(seconds(c.IdleSeconds))},
			{text: span(seconds(c.AgeSeconds))},
			state,
		}
	}
	var b strings.Builder
	widths := p.arrange(channelColumns, rows, nil)
	p.writeHead(&b, channelColumns, widths)
	for _, row := range rows {
		p.writeRow(&b, channelColumns, widths, row)
	}
	return b.String()
}

func askSessions(ctx context.Context, client *control.Client, after string, limit int) ([]control.Session, string,
	error,
) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	return client.Sessions(ctx, after, limit)
}

// sessionList prints pages of sessions as one table.
type sessionList struct {
	paper
	printed int
	widths  layout // nil before the first page
}

func newSessionList(p paper) *sessionList { return &sessionList{paper: p} }

var sessionColumns = []column{
	{title: "id"},
	{title: "loop", right: true, rank: 9},
	{title: "remote", least: 8},
	{title: "user", rank: 3},
	{title: "token", right: true, rank: 8},
	{title: "may join", rank: 10},
	{title: "may send", rank: 11},
	{title: "may list", rank: 12},
	{title: "groups", right: true, rank: 2},
	{title: "queued", right: true, rank: 1},
	{title: "in", right: true, rank: 5},
	{title: "out", right: true, rank: 6},
	{title: "idle", right: true, rank: 4},
	{title: "age", right: true, rank: 7},
	{title: "state"},
}

// json is one line for each session, as the API wrote it.
func (l *sessionList) json(page []control.Session) string {
	var b strings.Builder
	for _, s := range page {
		b.WriteString(jsonLine(s.Raw))
	}
	l.printed += len(page)
	return b.String()
}

// table is one row for each session, under the titles if it is the first page.
// The columns stay where they are; where there is no edge, they may get wider.
func (l *sessionList) table(page []control.Session) string {
	rows := make([][]cell, len(page))
	for i, s := range page {
		rows[i] = sessionRow(s)
	}
	var b strings.Builder
	switch {
	case l.widths == nil:
		l.widths = l.arrange(sessionColumns, rows, nil)
		l.writeHead(&b, sessionColumns, l.widths)
	case l.width == 0:
		l.widths = l.arrange(sessionColumns, rows, l.widths)
	}
	for _, row := range rows {
		l.writeRow(&b, sessionColumns, l.widths, row)
	}
	l.printed += len(page)
	return b.String()
}

// anonymous is shown for the user of a session without a token. A user may be called that; then
// there is an end of its token beside it.
const anonymous = "anonymous"

// left is how long a token is good for.
func left(expires *time.Time, now time.Time) string {
	switch {
	case expires == nil:
		return "-"
	case !expires.After(now):
		return "over"
	}
	return span(expires.Sub(now))
}

// patterns are some patterns, and how many more there are.
func patterns(some []string, more int) string {
	switch {
	case len(some) == 0:
		return "-"
	case more > 0:
		return printable(fmt.Sprintf("%s +%d", strings.Join(some, ","), more))
	}
	return printable(strings.Join(some, ","))
}

func sessionRow(s control.Session) []cell {
	state := cell{printable(s.State), plain}
	switch {
	case s.State == "open" && s.Blocked:
		state = cell{"blocked", yellow} // its socket takes no more at the moment
	case s.State == "open":
		state.colour = green
	}
	row := []cell{{text: printable(s.ID)}}
	user, join, publish, list := cmp.Or(s.User, anonymous), "*", "*", "-"
	switch g := s.Grants; {
	case g != nil:
		join, publish = patterns(g.Join, g.JoinMore), patterns(g.Publish, g.PublishMore)
		list = patterns(g.Members, g.MembersMore)
	case s.State == "handshake": // who it is, and what it may do, is not known yet
		user, join, publish = cmp.Or(s.User, "-"), "-", "-"
	}
	for _, text := range []string{
		thousands(s.Reactor), printable(s.Remote), printable(user),
		left(s.ExpiresAt, time.Now()), join, publish, list,
		thousands(s.GroupCount),
		size(s.BacklogBytes), size(s.BytesIn), size(s.BytesOut), span(s.Idle), span(s.Age),
	} {
		row = append(row, cell{text: text})
	}
	return append(row, state)
}
