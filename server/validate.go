package server

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"groupcast/loop"
	"groupcast/server/api"
	"groupcast/server/door"
)

// OptionError is a value that an option cannot have.
type OptionError struct {
	Flag   string // as on the command line, "--max-message"
	Reason string // what it wants, and what it got
}

func (e *OptionError) Error() string { return e.Flag + ": " + e.Reason }

// maxDrain keeps a typing error ("10h" for "10s") from making a process that
// cannot be stopped politely.
const maxDrain = time.Hour

// Validate reports every value that is out of range or cannot live with
// another, each as an *OptionError, joined. It looks at nothing outside o:
// whether an address can be bound shows when it is.
func (o Options) Validate() error {
	var errs []error
	wants := func(ok bool, flag, format string, args ...any) {
		if !ok {
			errs = append(errs, &OptionError{flag, fmt.Sprintf(format, args...)})
		}
	}
	wants(len(o.Listen) > 0, "--listen", "wants at least one address")
	errs = append(errs, checkAddresses("--listen", o.Listen)...)
	if !slices.Equal(o.API, []string{none}) {
		errs = append(errs, checkAddresses("--api", o.API)...)
		for _, text := range o.API {
			if err := api.CheckBind(text, o.APIToken != "" || o.APITokenFile != ""); err != nil {
				errs = append(errs, &OptionError{"--api", err.Error() + " (--api-token, --api-token-file)"})
			}
		}
	}
	errs = append(errs, checkAddresses("--channel", o.Channel)...)
	errs = append(errs, o.checkChannel()...)
	if o.ChannelJoin != "" {
		a, err := door.Parse(o.ChannelJoin)
		wants(err == nil && !a.IsUnix() && a.HasHost(), "--channel-join", "wants HOST:PORT, got %q", o.ChannelJoin)
	}
	wants(len(o.Control) <= door.MaxUnixPath, "--control", "wants a path of at most %d bytes, got %d", door.MaxUnixPath, len(o.Control))
	wants(!strings.HasPrefix(o.Control, "@") && !strings.HasPrefix(o.Control, "unix:"), "--control", "wants a path, got %q", o.Control)
	wants(o.SocketMode <= 0o777, "--socket-mode", "wants 0000 to 0777, got %s", o.SocketMode)
	wants(o.Drain >= 0 && o.Drain <= maxDrain, "--drain", "wants 0s to %s, got %s", maxDrain, o.Drain)
	wants(o.Pprof == "" || loopbackOnly(o.Pprof), "--pprof", "wants HOST:PORT on loopback, got %q", o.Pprof)
	_, err := parseLevel(o.LogLevel)
	wants(err == nil, "--log-level", "wants debug, info, warn or error, got %q", o.LogLevel)
	wants(o.LogFormat == "text" || o.LogFormat == "json", "--log-format", "wants text or json, got %q", o.LogFormat)

	// 0 is the machine's choice, which is always in range.
	conns := o.MaxConns
	if conns == 0 {
		conns = 1
	}
	return errors.Join(append(errs, inFlags(o.loopOptions(conns).Validate()))...)
}

// none as an address is none at all, where there would be one by default.
const none = "none"

// checkAddresses reports what cannot be listened on, and what is there twice.
func checkAddresses(flag string, texts []string) (errs []error) {
	for i, text := range texts {
		a, err := door.Parse(text)
		if err != nil {
			errs = append(errs, &OptionError{flag, err.Error()})
			continue
		}
		if slices.Contains(texts[:i], text) && !a.AnyPort() {
			errs = append(errs, &OptionError{flag, fmt.Sprintf("wants each address once, got %q twice", text)})
		}
	}
	return errs
}

// inFlags translates the loops' complaints about fields into complaints about
// flags, and byte counts into sizes. Anything it does not know stays as it is.
func inFlags(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var out []error
		for _, e := range joined.Unwrap() {
			out = append(out, inFlags(e))
		}
		return errors.Join(out...)
	}
	wrong, ok := errors.AsType[*loop.OptionError](err)
	if !ok {
		return err
	}
	name, isSize := flagOf(wrong.Field)
	reason := fieldName.ReplaceAllStringFunc(wrong.Reason, func(word string) string {
		name, _ := flagOf(word)
		return name
	})
	if isSize {
		reason = byteCount.ReplaceAllStringFunc(reason, func(digits string) string {
			n, err := strconv.Atoi(digits)
			if err != nil {
				return digits
			}
			return ByteSize(n).String()
		})
	}
	return &OptionError{name, reason}
}

var (
	fieldName = regexp.MustCompile(`\b[A-Z][a-z]+(?:[A-Z]+[a-z]*)+\b`)
	byteCount = regexp.MustCompile(`\b\d{4,}\b`)
)

// flagOf is the flag of the Options field called field, and whether its value
// is a ByteSize; a name that is not a field comes back unchanged.
func flagOf(field string) (flag string, isSize bool) {
	f, ok := reflect.TypeFor[Options]().FieldByName(field)
	if !ok {
		return field, false
	}
	return "--" + f.Tag.Get("name"), f.Type == reflect.TypeFor[ByteSize]()
}

// parseLevel reads the four names that --log-level documents. slog's own
// parser would also take "info+3", which nobody means.
func parseLevel(name string) (slog.Level, error) {
	var level slog.Level
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, strings.ToLower(name)) {
		return 0, fmt.Errorf("log level %q", name)
	}
	err := level.UnmarshalText([]byte(name))
	return level, err
}
