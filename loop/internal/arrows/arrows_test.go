// Package arrows looks at which files of a package name something of which others. A package
// can be read file by file as far as there is an order of them in which names point one way;
// where they point back, two files can only be understood together.
package arrows

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestFilesPointDown finds for each package the order of its files in which the fewest
// references between two of them run back up, and fails where there are more of them than
// written down here. It may go down, never up; the doc.go of each package says why the rest
// is right.
func TestFilesPointDown(t *testing.T) {
	for _, test := range []struct {
		dir string
		max int
	}{
		{"loop", 0},
		{"loop/order", 1},
		{"loop/reactor", 2},
	} {
		t.Run(test.dir, func(t *testing.T) {
			g := load(t, filepath.Join("../../..", test.dir))
			best := g.best()
			up := g.up(best)
			t.Logf("in the order %s", strings.Join(best, " "))
			for _, e := range up {
				t.Logf("%s names %s, which stands above it: %s", e.from, e.to, g.names(e))
			}
			t.Logf("%d of %d", len(up), len(g))
			if len(up) > test.max {
				t.Errorf("%d references run back up, want at most %d; go test -v lists them", len(up), test.max)
			}

			// doc.go has an order as good, of all files, downwards or upwards.
			said := documented(t, filepath.Join("../../..", test.dir))
			for _, f := range best {
				if !slices.Contains(said, f) {
					t.Errorf("the reading order in doc.go lacks %s", f)
				}
			}
			up = g.up(said)
			slices.Reverse(said)
			if other := g.up(said); len(other) < len(up) {
				up = other
			}
			if len(up) > test.max {
				t.Errorf("in the order of doc.go %d references run back, want at most %d", len(up), test.max)
				for _, e := range up {
					t.Logf("%s names %s: %s", e.from, e.to, g.names(e))
				}
			}
		})
	}
}

// graph is which file names what of which other.
type graph map[edge]map[string]bool

type edge struct{ from, to string }

func (g graph) names(e edge) string { return strings.Join(slices.Sorted(maps.Keys(g[e])), " ") }

// up are the edges that run back up in that order of the files.
func (g graph) up(order []string) (up []edge) {
	for e := range g {
		if slices.Index(order, e.to) < slices.Index(order, e.from) {
			up = append(up, e)
		}
	}
	slices.SortFunc(up, func(a, b edge) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	return up
}

// load reads the files of a package as they are built here. What it imports stays unknown,
// which costs nothing but time: names of its own are found without it.
func load(tb testing.TB, dir string) graph {
	tb.Helper()
	pkg, err := build.Default.ImportDir(dir, 0)
	if err != nil {
		tb.Fatal(err)
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range pkg.GoFiles {
		f, err := parser.ParseFile(fset, filepath.Join(dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			tb.Fatal(err)
		}
		files = append(files, f)
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{}}
	config := types.Config{Importer: nothing{}, Error: func(error) {}} // errors of what it imports
	self, _ := config.Check(pkg.Name, fset, files, info)
	g := graph{}
	for id, o := range info.Uses {
		if o.Pkg() != self || !o.Pos().IsValid() {
			continue
		}
		e := edge{noun(fset, id.Pos()), noun(fset, o.Pos())}
		if e.from == e.to {
			continue
		}
		if g[e] == nil {
			g[e] = map[string]bool{}
		}
		g[e][o.Name()] = true
	}
	return g
}

type nothing struct{}

func (nothing) Import(path string) (*types.Package, error) {
	return nil, fmt.Errorf("%s: not read", path)
}

// noun is a file's name without its ending. What differs by system is one.
func noun(fset *token.FileSet, pos token.Pos) string {
	name := strings.TrimSuffix(filepath.Base(fset.Position(pos).Filename), ".go")
	return strings.TrimSuffix(strings.TrimSuffix(name, "_linux"), "_other")
}

// documented are the files in the reading order of a package's doc.go.
func documented(tb testing.TB, dir string) (files []string) {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "doc.go"))
	if err != nil {
		tb.Fatal(err)
	}
	_, text, _ = bytes.Cut(text, []byte("// # Reading order"))
	text, _, _ = bytes.Cut(text, []byte("// # "))
	for line := range bytes.Lines(text) {
		if list, found := bytes.CutPrefix(line, []byte("//\t")); found {
			for word := range bytes.FieldsSeq(list) {
				if name, is := bytes.CutSuffix(word, []byte(".go")); is {
					files = append(files, strings.TrimSuffix(string(name), "_*"))
				}
			}
		}
	}
	return files
}

// best is an order of the files in which the fewest edges run back up. It moves one file at
// a time for as long as that helps, from many beginnings.
func (g graph) best() (order []string) {
	set := map[string]bool{}
	for e := range g {
		set[e.from], set[e.to] = true, true
	}
	files := slices.Sorted(maps.Keys(set))
	at := map[string]int{}
	for i, f := range files {
		at[f] = i
	}
	points := make([][]bool, len(files)) // [from][to]
	for i := range points {
		points[i] = make([]bool, len(files))
	}
	for e := range g {
		points[at[e.from]][at[e.to]] = true
	}
	random := rand.New(rand.NewPCG(1, 2))
	least := len(g) + 1
	var found []int
	for range 2000 {
		list := random.Perm(len(files))
		if n := improve(list, points); n < least {
			least, found = n, list
		}
	}
	for _, f := range found {
		order = append(order, files[f])
	}
	return order
}

// improve moves files to where fewer edges run up, until no move helps, and returns how many
// do.
func improve(list []int, points [][]bool) (up int) {
	for moved := true; moved; {
		moved = false
		for i := range list {
			// How much it changes to move the file at i past each one below or above it.
			f, best, to := list[i], 0, i
			for _, step := range []int{1, -1} {
				change := 0
				for j := i + step; j >= 0 && j < len(list); j += step {
					other := list[j]
					above, below := f, other // of the two, as they stand now
					if step < 0 {
						above, below = other, f
					}
					if points[above][below] {
						change++
					}
					if points[below][above] {
						change--
					}
					if change < best {
						best, to = change, j
					}
				}
			}
			if to != i {
				list = slices.Insert(slices.Delete(list, i, i+1), to, f)
				moved = true
			}
		}
	}
	for i, above := range list {
		for _, below := range list[i+1:] {
			if points[below][above] {
				up++
			}
		}
	}
	return up
}
