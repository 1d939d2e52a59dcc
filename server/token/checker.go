package token

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"groupcast/loop"
	"groupcast/loop/pattern"
	"groupcast/loop/ration"
)

const (
	// DefaultMaxBytes is what a token may have: it comes in a request head of 8 KiB.
	DefaultMaxBytes = 4 << 10
	// Skew is how far another machine's clock may be from ours.
	Skew = loop.ExpiryGrace
	// DefaultMaxWaiting is how many tokens may wait for key servers at a time.
	DefaultMaxWaiting = 1024
	// MaxSources bounds the files and key servers.
	MaxSources = 64
	// firstKeys is how long a start waits for key servers.
	firstKeys = 2 * time.Second
)

// Options are where keys come from, and what is wanted of a token.
type Options struct {
	KeyFiles []string // secrets and PEM files, for tokens of every issuer that is not in Issuers
	JWKS     []string // key sets, likewise: files, and addresses of key servers
	Issuers  []string // ISSUER=SOURCE: tokens with that iss are checked with the keys of SOURCE alone
	Audience []string // one of these is in a token's aud; none: aud is not looked at
	MaxBytes int      // of one token; 0: DefaultMaxBytes
	// MaxGroupBytes bounds a name in groups, MaxGroups how many there are: what a connection may.
	// 0, and what is more: as a pattern and their number are bounded.
	MaxGroupBytes, MaxGroups int
	// MaxWaiting bounds the tokens that wait for key servers at a time. Each has an equal share
	// of that, one at least. 0: DefaultMaxWaiting.
	MaxWaiting int
	Log        *slog.Logger
}

// Configured reports whether there are keys: whether tokens mean anything.
func (o *Options) Configured() bool { return len(o.KeyFiles)+len(o.JWKS)+len(o.Issuers) > 0 }

// Checker checks tokens. Another configuration is another Checker.
// Owner: whoever closes it; every method may be called by any goroutine.
type Checker struct {
	o          Options
	rings      map[string]*ring // by iss
	anyone     *ring            // for every other iss; nil: nobody else's are taken
	sources    []*source
	parser     *jwt.Parser
	identities *identities
	log        *ration.Logger

	life    context.Context
	end     context.CancelFunc
	running sync.WaitGroup

	counts *counts
}

// counts are those of a Checker and of those before it.
type counts struct {
	accepted atomic.Uint64
	panics   atomic.Uint64 // reads of keys that a mistake here has ended
	full     atomic.Uint64 // did not wait for a key server, since too many did
	refused  [Reasons]atomic.Uint64
}

// New is a Checker whose files have been read, and whose key servers have been asked, for two
// seconds at most: one that does not answer is asked again, and its keys are those that
// before had of it. before may be nil, and is closed by the caller afterwards. The errors
// are for the operator.
func New(o Options, before *Checker) (*Checker, error) {
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	o.MaxGroupBytes, o.MaxGroups = within(o.MaxGroupBytes, pattern.MaxBytes), within(o.MaxGroups, pattern.MaxPatterns)
	if o.MaxWaiting == 0 {
		o.MaxWaiting = DefaultMaxWaiting
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	c := &Checker{
		o: o, rings: make(map[string]*ring), identities: newIdentities(), log: ration.New(o.Log), counts: &counts{},
	}
	c.life, c.end = context.WithCancel(context.Background())
	options := []jwt.ParserOption{
		jwt.WithValidMethods(algorithms), jwt.WithStrictDecoding(), jwt.WithLeeway(Skew),
	}
	if len(o.Audience) > 0 {
		options = append(options, jwt.WithAudience(o.Audience...))
	}
	c.parser = jwt.NewParser(options...)
	if err := c.open(); err != nil {
		c.end()
		return nil, err
	}
	if before != nil {
		c.adopt(before)
	}
	if err := c.start(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// within is a limit of at most most; 0 is none.
func within(limit, most int) int {
	if limit == 0 {
		return most
	}
	return min(limit, most)
}

// open makes the rings and their sources, and reads nothing.
func (c *Checker) open() error {
	var errs []error
	for _, path := range c.o.KeyFiles {
		c.anyone = c.add(c.anyone, fileSource(path, false))
	}
	for _, text := range c.o.JWKS {
		s, err := sourceOf(text, true)
		if err != nil {
			errs = append(errs, fmt.Errorf("--token-jwks: %w", err))
			continue
		}
		c.anyone = c.add(c.anyone, s)
	}
	for _, text := range c.o.Issuers {
		iss, from, ok := strings.Cut(text, "=")
		if !ok || iss == "" || from == "" {
			errs = append(errs, errors.New("--token-issuer: wants ISSUER=FILE or ISSUER=URL"))
			continue
		}
		s, err := sourceOf(from, false)
		if err != nil {
			errs = append(errs, fmt.Errorf("--token-issuer: %w", err))
			continue
		}
		c.rings[iss] = c.add(c.rings[iss], s)
	}
	if n := len(c.sources); n > MaxSources {
		errs = append(errs, fmt.Errorf("token keys: wants %d files and key servers at most, got %d", MaxSources, n))
	}
	c.share()
	return errors.Join(errs...)
}

// share gives each key server its part of those that may wait: a slow one leaves the others
// theirs.
func (c *Checker) share() {
	servers := 0
	for _, s := range c.sources {
		if s.remote() {
			servers++
		}
	}
	for _, s := range c.sources {
		s.most = max(1, c.o.MaxWaiting/max(1, servers))
	}
}

// CheckSource says what keeps text from being a source of keys: it is a file, or the address
// of a key server.
func CheckSource(text string) error {
	_, err := sourceOf(text, false)
	return err
}

// CheckFiles reports what keeps a Checker from being made of o. It asks no key server.
func CheckFiles(o Options) error {
	c := &Checker{o: o, rings: make(map[string]*ring)}
	if err := c.open(); err != nil {
		return err
	}
	var errs []error
	for _, s := range c.sources {
		if s.remote() {
			continue
		}
		if _, err := s.read(context.Background()); err != nil {
			errs = append(errs, fmt.Errorf("token keys %s: %w", s.name, err))
		}
	}
	return errors.Join(errs...)
}

func sourceOf(text string, jwks bool) (*source, error) {
	if !isURL(text) {
		return fileSource(text, jwks), nil
	}
	u, err := checkURL(text)
	if err != nil {
		return nil, err
	}
	return urlSource(u), nil
}

func (c *Checker) add(r *ring, s *source) *ring {
	if r == nil {
		r = &ring{}
	}
	s.report = c.report
	r.sources = append(r.sources, s)
	c.sources = append(c.sources, s)
	return r
}

// adopt takes over what another Checker has got from key servers, and shares with it who its
// users are and what is counted: that one may go on for a while.
func (c *Checker) adopt(before *Checker) {
	c.identities = before.identities
	c.counts = before.counts
	for _, s := range c.sources {
		for _, old := range before.sources {
			if s.address == "" || s.address != old.address {
				continue
			}
			s.keys.Store(old.keys.Load())
			s.readAt.Store(old.readAt.Load())
			s.reads.Store(old.reads.Load())
			s.failures.Store(old.failures.Load())
			s.withdrawals.Store(old.withdrawals.Load())
		}
	}
}

// start reads everything for the first time, and again from then on.
func (c *Checker) start() error {
	var errs []error
	ctx, cancel := context.WithTimeout(c.life, firstKeys)
	defer cancel()
	var asked sync.WaitGroup
	for _, s := range c.sources {
		if s.remote() {
			asked.Go(func() { _ = s.refresh(ctx, c.life, 0) }) // reported
			continue
		}
		if err := s.refresh(c.life, c.life, 0); err != nil {
			errs = append(errs, fmt.Errorf("token keys %s: %w", s.name, err))
			continue
		}
		for _, warning := range warnings(s.name, s.all()) {
			c.log.Warn("token keys are less secret than they should be", "from", s.name, "warning", warning)
		}
	}
	asked.Wait()
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	for _, s := range c.sources {
		c.running.Go(func() { s.watch(c.life) })
	}
	return nil
}

// report tells the log what became of reading keys.
func (c *Checker) report(s *source, before, err error) {
	if _, panicked := errors.AsType[*panicError](err); panicked {
		c.counts.panics.Add(1)
		c.log.Log(slog.LevelError, "panic", "token keys met a mistake in this program, the old ones stay in force",
			"from", s.name, "error", err)
		return
	}
	switch {
	case s.withdrawn(err):
		c.log.Log(slog.LevelError, "withdrawn",
			"a key set has no key that can be used: tokens of the keys before are refused", "from", s.name, "error", err)
	case err != nil && s.keys.Load() == nil:
		c.log.Warn("token keys cannot be had, and there are none yet", "from", s.name, "error", err)
	case err != nil:
		c.log.Warn("token keys cannot be read anew, the old ones stay in force", "from", s.name, "error", err)
	case before != nil:
		c.o.Log.Info("token keys can be had again", "from", s.name, "keys", len(s.all()))
	}
}

// Close ends all that reads keys, and waits for it. Check goes on with the keys that there
// are. It may be called twice.
func (c *Checker) Close() {
	c.end()
	for _, s := range c.sources {
		s.wait()
	}
	c.running.Wait()
}

// MaxBytes is how long a token may be.
func (c *Checker) MaxBytes() int { return c.o.MaxBytes }

// Count counts a refusal that Check has not made: that of Find.
func (c *Checker) Count(f *RefusedError) { c.counts.refused[f.Reason].Add(1) }

func tooLarge(most, got int) string {
	return fmt.Sprintf("wants a token of %d bytes at most, got %d", most, got)
}
