package loop

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"groupcast/loop/order"
)

// Publication is one message for one or more groups, for the sessions of one or more
// users, or for both, from outside the loops.
type Publication struct {
	// Groups get it one after the other, with nothing of others in between. A
	// member of two of them gets it twice, a group named twice too.
	Groups []string
	// Users get it behind the groups: each of their sessions once, and not if it has got it as
	// a member of one of Groups. They are no groups: no name of a group means a user.
	Users []string
	// Payload is a string's characters if IsText, else a JSON value's text (which
	// the caller has checked). It is copied.
	Payload []byte
	IsText  bool
	// Exclude are sessions that do not get it. It is copied.
	Exclude []SessionID
	// ExcludeElsewhere are texts that name sessions of other nodes, which are to be left out
	// there: sinks get them, loops pass over them. It is copied.
	ExcludeElsewhere []string
	// From is the sink whose owner publishes, Tag what sinks get with it.
	From *Sink
	Tag  any
}

// Limits of one Publication.
const (
	MaxPublicationGroups   = 1024
	MaxPublicationUsers    = 1024
	MaxPublicationExcludes = 1024 // Exclude and ExcludeElsewhere together
	// MaxExcludeBytes bounds one of ExcludeElsewhere: a node's name, 32 bytes at most, eight
	// digits of its epoch and a session's id.
	MaxExcludeBytes = 64
)

// MaxUserBytes bounds the name of a user, to whom is published or who has a token.
const MaxUserBytes = 256

// Publish sends text to every member of a group. See PublishAll.
func (e *Engine) Publish(ctx context.Context, group string, text []byte) (order uint64, err error) {
	return e.PublishAll(ctx, Publication{Groups: []string{group}, Payload: text, IsText: true})
}

// PublishAll sends p to all its groups and users or to none of them, and returns the
// last one's place in the broker's order. It waits for room until ctx ends: the
// error is then ErrOverloaded and nothing was published (nor where memory is short: that
// error is ErrNoMemory as well), or ctx's own and it
// was, but its order is not known; ErrDraining after Drain, ErrClosed after
// Close. A payload that is not UTF-8 or over MaxMessageBytes, in either mode's
// encoding, is refused, and so is a publication that no ring could hold.
func (e *Engine) PublishAll(ctx context.Context, p Publication) (order uint64, err error) {
	m, err := e.accept(p)
	if err != nil {
		return 0, err
	}
	return e.broker.Publish(ctx, m)
}

// Submit is PublishAll without the wait for the order: what one goroutine submits keeps
// its sequence, and costs it no round trip each.
func (e *Engine) Submit(ctx context.Context, p Publication) error {
	m, err := e.accept(p)
	if err != nil {
		return err
	}
	return e.broker.Submit(ctx, m)
}

// SubmitForPlace is Submit, with a channel that the place in the order will come by; nothing
// comes once the engine ends. Who submits several gets their places in that sequence.
func (e *Engine) SubmitForPlace(ctx context.Context, p Publication) (place <-chan uint64, err error) {
	m, err := e.accept(p)
	if err != nil {
		return nil, err
	}
	return e.broker.SubmitForPlace(ctx, m)
}

// accept makes the messages of a publication, unless it has to be refused.
func (e *Engine) accept(p Publication) (*order.Message, error) {
	if e.refusePublication() {
		return nil, ErrNoMemory
	}
	if but := e.refusing.Load(); but != nil && p.From != but {
		return nil, ErrRefused
	}
	m, err := e.newPublication(p)
	if err != nil {
		return nil, fmt.Errorf("publish: %w", err)
	}
	return m, nil
}

// RefusePublications has all publications refused but those of one sink's owner: sessions are
// answered overloaded, callers get ErrRefused. nil ends that. What was accepted before goes
// its way.
func (e *Engine) RefusePublications(but *Sink) {
	e.refusing.Store(but)
	e.shared.Refusing.Store(but != nil)
}

// MaxMessageBytes is the limit in force.
func (e *Engine) MaxMessageBytes() int { return e.options().MaxMessageBytes }

// refusePublication reports whether memory is too short for a publication from outside.
func (e *Engine) refusePublication() bool {
	if !e.shared.Budget.Refuses() {
		return false
	}
	e.shared.Budget.RefusePublication()
	return true
}

// MaxGapGroups is how many groups one Gap is of.
const MaxGapGroups = 1024

// Gap tells all members of these groups that messages of theirs may have been lost: behind all
// that the same goroutine has published before, and in front of all that it publishes
// afterwards. A member in envelope mode gets a notice, others are closed with 1013, a thousand
// a second and loop. It has no place in the order, no sink gets it, and it is not refused
// where memory is short, since who misses something has to know.
//
// It waits for room until ctx ends: the error is then ErrOverloaded, and some of the groups
// may have been told; ErrDraining and ErrClosed mean the same. To tell a group twice does no
// harm.
func (e *Engine) Gap(ctx context.Context, groups []string) error {
	if len(groups) == 0 || len(groups) > MaxGapGroups {
		return fmt.Errorf("a gap of %d groups, wants 1 to %d: %w", len(groups), MaxGapGroups, ErrTooManyGroups)
	}
	for _, group := range groups {
		if !e.validGroup(group) {
			return fmt.Errorf("a gap: %w", ErrBadGroup)
		}
	}
	o := e.options()
	fit := max(1, o.RingBytes/(o.MaxGroupBytes+order.Overhead)) // in the door, which holds what a ring does
	for some := range slices.Chunk(each(groups), fit) {
		if err := e.broker.Gap(ctx, some); err != nil {
			return fmt.Errorf("a gap: %w", err)
		}
	}
	return nil
}

// newPublication checks p and makes its messages: the first, which holds the others.
func (e *Engine) newPublication(p Publication) (*order.Message, error) {
	switch {
	case len(p.Groups)+len(p.Users) == 0 || len(p.Groups) > MaxPublicationGroups:
		return nil, ErrTooManyGroups
	case len(p.Users) > MaxPublicationUsers:
		return nil, ErrTooManyUsers
	case len(p.Exclude)+len(p.ExcludeElsewhere) > MaxPublicationExcludes:
		return nil, ErrTooManyExcludes
	case len(p.Payload) > e.options().MaxMessageBytes || p.IsText &&
		order.OverLimit(p.Payload, e.options().MaxMessageBytes):
		return nil, ErrTooLarge
	case !utf8.Valid(p.Payload):
		return nil, ErrNotUTF8
	}
	for _, group := range p.Groups {
		if !e.validGroup(group) {
			return nil, ErrBadGroup
		}
	}
	for _, user := range p.Users {
		if !ValidUser(user) {
			return nil, ErrBadUser
		}
	}
	for _, session := range p.ExcludeElsewhere {
		if len(session) > MaxExcludeBytes {
			return nil, ErrBadExclude
		}
	}
	outside := &order.Outside{
		Exclude:          slices.Clone(p.Exclude), // read by every loop, long after the caller has gone on
		ExcludeElsewhere: slices.Clone(p.ExcludeElsewhere),
		Users:            each(p.Users),
		From:             p.From,
		Tag:              p.Tag,
	}
	var m *order.Message
	if len(p.Groups) > 0 {
		m = order.NewMessage([]byte(p.Groups[0]), p.Payload, nil, p.IsText)
	} else {
		m = order.NewUsersMessage(p.Payload, p.IsText)
	}
	m.Outside = outside
	m.Published = int64(time.Since(e.shared.Start))
	for _, group := range p.Groups[min(1, len(p.Groups)):] {
		m.AddGroup(group)
	}
	if len(p.Groups) > 0 && len(p.Users) > 0 {
		m.AddUsers()
	}
	if m.SizeWithGroups() > e.options().RingBytes {
		return nil, ErrTooLarge
	}
	return m, nil
}

func (e *Engine) validGroup(name string) bool {
	return len(name) > 0 && len(name) <= e.options().MaxGroupBytes && utf8.ValidString(name)
}

// ValidUser reports whether a user may be called that, of those to whom is published.
func ValidUser(name string) bool {
	return len(name) > 0 && len(name) <= MaxUserBytes && utf8.ValidString(name)
}

// each has every one of names once, in a list of its own.
func each(names []string) []string {
	if len(names) == 0 {
		return nil
	}
	list := slices.Clone(names)
	slices.Sort(list)
	return slices.Compact(list)
}

// Errors about a Publication. They may be compared with errors.Is.
var (
	ErrBadGroup        = errors.New("a group's name is UTF-8 and not empty, within the limit")
	ErrTooLarge        = errors.New("message over the limit")
	ErrNotUTF8         = errors.New("message is not UTF-8")
	ErrTooManyGroups   = fmt.Errorf("a publication goes to 1 to %d groups, or to users", MaxPublicationGroups)
	ErrTooManyUsers    = fmt.Errorf("a publication goes to %d users at most", MaxPublicationUsers)
	ErrBadUser         = fmt.Errorf("a user's name is UTF-8, 1 to %d bytes", MaxUserBytes)
	ErrNoMemory        = fmt.Errorf("%w: the server is short of memory", ErrOverloaded)
	ErrRefused         = fmt.Errorf("%w: other nodes cannot be reached", ErrOverloaded)
	ErrTooManyExcludes = fmt.Errorf("a publication excludes %d sessions at most", MaxPublicationExcludes)
	ErrBadExclude      = fmt.Errorf("a session of another node is named with %d bytes at most", MaxExcludeBytes)
)

// Epoch is a random name of this run of the broker's order, whose places begin at 1: together
// with it a place means something beyond this process.
func (e *Engine) Epoch() Epoch { return e.broker.Epoch() }

// NewSink adds a way out of the broker; see order.Broker.NewSink.
func (e *Engine) NewSink(o SinkOptions) *Sink { return e.broker.NewSink(o) }
