package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"groupcast/server/control"
	"groupcast/server/problem"
)

// reload has a server read its settings again, and says what came of it.
func reload(ctx context.Context, flags reloadFlags, stdout io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, reloadWithin)
	defer cancel()
	client, _, err := flags.connect(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	done, err := client.Reload(ctx)
	if p, ok := errors.AsType[*problem.RequestError](err); ok && len(p.Errors) > 0 {
		var errs []error
		for _, one := range p.Errors {
			errs = append(errs, errors.New(one.Message))
		}
		return errors.Join(errs...)
	}
	if err != nil {
		return err
	}
	if flags.JSON {
		err = json.NewEncoder(stdout).Encode(done)
	} else {
		_, err = io.WriteString(stdout, describeReload(done))
	}
	errs := []error{err}
	for _, text := range done.Problems {
		errs = append(errs, errors.New(text))
	}
	return errors.Join(errs...)
}

// describeReload is one line for each setting that is written otherwise.
func describeReload(done control.Reloaded) string {
	var b strings.Builder
	if len(done.Changed) == 0 {
		b.WriteString("Reloaded: no setting has changed.\n")
	} else {
		b.WriteString("Reloaded. In force now:\n")
		for _, c := range done.Changed {
			fmt.Fprintf(&b, "  %s\n", describeChange(c))
		}
	}
	if len(done.NeedRestart) > 0 {
		b.WriteString("As before, until a restart:\n")
		for _, c := range done.NeedRestart {
			fmt.Fprintf(&b, "  %s: %s\n", describeChange(c), printable(c.Why))
		}
	}
	return b.String()
}

func describeChange(c control.Change) string {
	value := func(s string) string {
		if s == "" {
			return "nothing"
		}
		return printable(s)
	}
	return fmt.Sprintf("%s from %s to %s", printable(c.Flag), value(c.From), value(c.To))
}
