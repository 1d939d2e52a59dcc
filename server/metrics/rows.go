package metrics

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"groupcast/loop"
)

// namespace is what the name of every metric begins with.
const namespace = "groupcast_"

// Kinds of a metric.
const (
	gauge     = "gauge"
	counter   = "counter"
	histogram = "histogram"
)

// family is one metric name, and what all that is told under it have in common.
type family struct {
	name   string
	kind   string
	labels []string
	help   string
}

// table are the rows of a struct, in the order of its fields.
type table []column

// column is what one field is told as.
type column struct {
	index int
	label string // of a string: the label that it is the value of
	rows  []row  // of a figure
	each  string // of a slice: the label that has an element's index, if any does
	inner table  // of a struct, a pointer to one, or a slice of them
}

// row is one place of a figure: a name with labels, and how it is told.
type row struct {
	family  *family
	fixed   map[string]string // labels with a value of their own
	by      string            // of several counts: the label that tells them apart
	only    string            // of several counts: the one that this row is about
	unit    float64           // what one counts in it
	max     bool              // of figures with the same labels the largest is told, not the sum
	lowest  int               // of a histogram: the exponents of its first bucket and its last one
	highest int
	whole   bool // of a histogram: it counts things, not time
}

// counts are several counts that one label tells apart. The labels come from a fixed
// set; all are always there, also those at zero.
type counts interface {
	All() iter.Seq2[string, uint64]
}

var (
	timeType      = reflect.TypeFor[time.Time]()
	histogramType = reflect.TypeFor[loop.Histogram]()
	countsType    = reflect.TypeFor[counts]()
	atomicType    = reflect.TypeFor[atomic.Uint64]()
)

// units are what figures may be counted in, in the unit that they are told in.
var units = map[string]float64{"": 1, "ns": 1e-9, "us": 1e-6}

// reader makes tables of types. Together they have one list of families.
type reader struct {
	families []*family
	errs     []error
}

// table reads the tags of a struct type. The labels around it are those that what
// holds it gives its figures.
func (r *reader) table(t reflect.Type, around []string) table {
	around = slices.Clip(around)
	for f := range t.Fields() {
		if label := f.Tag.Get("label"); label != "" {
			around = append(around, label)
		}
	}
	var columns table
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		where := t.String() + "." + f.Name
		c := column{index: i, label: f.Tag.Get("label")}
		within, element := around, f.Type
		if f.Type.Kind() == reflect.Slice {
			if c.each = f.Tag.Get("index"); c.each != "" {
				within = append(around, c.each)
			}
			element = f.Type.Elem()
		} else if f.Type.Kind() == reflect.Pointer {
			element = f.Type.Elem()
		}
		switch {
		case isFigure(element):
			c.rows = r.rows(f, element, within, where)
		case element.Kind() == reflect.Struct:
			c.inner = r.table(element, within)
		case element.Kind() != reflect.String:
			r.fail(where, "is a %s, which is no figure", f.Type)
		}
		columns = append(columns, c)
	}
	return columns
}

// isFigure reports whether values of a type can be told.
func isFigure(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int64, reflect.Uint64:
		return true
	default:
		return t == timeType || t == atomicType || t == histogramType || reflect.PointerTo(t).Implements(countsType)
	}
}

// rows reads a figure's tag.
func (r *reader) rows(f reflect.StructField, figure reflect.Type, around []string, where string) (rows []row) {
	name := f.Tag.Get("metric")
	switch name {
	case "":
		r.fail(where, `has no tag "metric": wants a name, or "-" if it is not told`)
		return nil
	case "-":
		return nil
	}
	base := row{max: f.Tag.Get("merge") == "max", whole: f.Tag.Get("unit") == ""}
	if merge := f.Tag.Get("merge"); merge != "" && !base.max {
		r.fail(where, "merge %q: wants max, or none", merge)
	}
	var ok bool
	if base.unit, ok = units[f.Tag.Get("unit")]; !ok {
		r.fail(where, "unit %q: wants ns or us, or none", f.Tag.Get("unit"))
	}
	if figure == reflect.TypeFor[time.Duration]() {
		base.unit = units["ns"]
	}
	if figure == histogramType {
		if n, _ := fmt.Sscanf(f.Tag.Get("buckets"), "%d-%d", &base.lowest, &base.highest); n != 2 ||
			base.lowest > base.highest {
			r.fail(where, "buckets %q: wants two exponents, such as 1-10", f.Tag.Get("buckets"))
		}
	}
	several := reflect.PointerTo(figure).Implements(countsType)
	rows = append(rows, r.row(base, name, f.Tag.Get("help"), figure == histogramType, several, around, where))
	if also := f.Tag.Get("also"); also != "" {
		base.only = f.Tag.Get("only")
		rows = append(rows, r.row(base, also, "", false, several && base.only == "", around, where))
	}
	return rows
}

// row reads a name with its labels, as in name{cause=idle,reactor}: those without a
// value get it from where the figure stands.
func (r *reader) row(one row, text, help string, isHistogram, several bool, around []string, where string) row {
	name, list, labelled := strings.Cut(text, "{")
	fam := &family{name: namespace + name, kind: gauge, help: help}
	switch {
	case isHistogram:
		fam.kind = histogram
	case strings.HasSuffix(name, "_total"):
		fam.kind = counter
	}
	one.fixed = map[string]string{}
	if labelled {
		list, ok := strings.CutSuffix(list, "}")
		if !ok {
			r.fail(where, "%q: wants } at its end", text)
		}
		for part := range strings.SplitSeq(list, ",") {
			label, value, fixed := strings.Cut(part, "=")
			fam.labels = append(fam.labels, label)
			switch {
			case fixed:
				one.fixed[label] = value
			case slices.Contains(around, label):
			case several && one.by == "":
				one.by = label
			default:
				r.fail(where, "%q: nothing gives %s a value", text, label)
			}
		}
	}
	if several && one.by == "" {
		r.fail(where, "%q: several counts want a label", text)
	}
	one.family = r.join(fam, where)
	return one
}

// join makes f one with the family of its name. The first one says what all have in
// common, but for the help, which any of them may say.
func (r *reader) join(f *family, where string) *family {
	i := slices.IndexFunc(r.families, func(known *family) bool { return known.name == f.name })
	if i < 0 {
		r.families = append(r.families, f)
		return f
	}
	known := r.families[i]
	if known.kind != f.kind || !slices.Equal(known.labels, f.labels) {
		r.fail(where, "%s is a %s with the labels %q, and elsewhere a %s with %q", f.name, f.kind, f.labels, known.kind,
			known.labels)
	}
	if known.help != "" && f.help != "" {
		r.fail(where, "%s has its help elsewhere already", f.name)
	}
	known.help = cmp.Or(known.help, f.help)
	return known
}

// check returns what is wrong with all that was read.
func (r *reader) check() error {
	for _, f := range r.families {
		if f.help == "" {
			r.fail(f.name, "has no help")
		}
	}
	return errors.Join(r.errs...)
}

func (r *reader) fail(where, format string, args ...any) {
	r.errs = append(r.errs, fmt.Errorf("%s "+format, append([]any{where}, args...)...))
}

// labels are values of labels, by their names.
type labels map[string]string

// with is a copy with one more.
func (l labels) with(label, value string) labels {
	more := make(labels, len(l)+1)
	maps.Copy(more, l)
	more[label] = value
	return more
}

// walk passes the figures of v, a struct of t's type, to tell. around are the labels
// that what holds v gives them.
func (t table) walk(v reflect.Value, around labels, tell func(figure reflect.Value, rows []row, around labels)) {
	for _, c := range t {
		if c.label != "" {
			around = around.with(c.label, v.Field(c.index).String())
		}
	}
	for _, c := range t {
		c.walk(v.Field(c.index), around, tell)
	}
}

func (c *column) walk(v reflect.Value, around labels, tell func(figure reflect.Value, rows []row, around labels)) {
	switch {
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			within := around
			if c.each != "" {
				within = around.with(c.each, strconv.Itoa(i))
			}
			c.walk(v.Index(i), within, tell)
		}
		if v.Len() == 0 && c.each != "" {
			c.walk(reflect.New(v.Type().Elem()).Elem(), around, tell) // the sum of none
		}
	case v.Kind() == reflect.Pointer:
		if !v.IsNil() {
			c.walk(v.Elem(), around, tell)
		}
	case c.rows != nil:
		tell(v, c.rows, around)
	case c.inner != nil:
		c.inner.walk(v, around, tell)
	}
}
