package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/deploy/api"
	"github.com/meshc/meshc/deploy/chart"
)

// valueFlags are the chart's values.
type valueFlags struct {
	files, set, setString []string
}

func (f *valueFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVarP(&f.files, "values", "f", nil, "`FILE` with values of the chart, - for standard input; repeatable, later ones count")
	flags.StringArrayVar(&f.set, "set", nil, "a value of the chart as `NAME=VALUE`: a.b=c,d=e; repeatable")
	flags.StringArrayVar(&f.setString, "set-string", nil, "the same, taken as a text whatever `NAME=VALUE` looks like")
}

// read is what the flags say of values, and who said each.
func (f *valueFlags) read(s streams) (said []saidValues, err error) {
	names, texts, err := manifestTexts(s, f.files)
	if err != nil {
		return nil, input(err)
	}
	for _, name := range names {
		values, err := chart.Parse(texts[name])
		if err != nil {
			return nil, input(fmt.Errorf("%s: %w", name, err))
		}
		said = append(said, saidValues{name, values})
	}
	for _, list := range []struct {
		flag  string
		words []string
		text  bool
	}{{"--set", f.set, false}, {"--set-string", f.setString, true}} {
		for _, w := range list.words {
			values, err := chart.Set(w, list.text)
			if err != nil {
				return nil, usage(fmt.Errorf("%s: %w", list.flag, err))
			}
			said = append(said, saidValues{list.flag + " " + w, values})
		}
	}
	return said, nil
}

// saidValues are values and who said them.
type saidValues struct {
	where  string
	values chart.Object
}

// judged are the values that were said, and findings of why the chart does not take them.
func judged(said []saidValues) (chart.Object, diag.List, error) {
	all := chart.Object{}
	for _, s := range said {
		all = chart.Merge(all, s.values)
	}
	values, err := chart.Defaults()
	if err != nil {
		return nil, nil, err
	}
	values = chart.Merge(values, all)
	faults, err := chart.Check(values)
	if err != nil {
		return nil, nil, err
	}
	var found diag.List
	for _, f := range faults {
		found.Add(diag.New("MSH4112", diag.Span{File: sayer(said, f.Path)}, "%s %s", strings.Join(f.Path, "."), f.Says))
	}
	for _, name := range []string{"image", "envoyImage"} {
		if image, _ := values[name].(string); image != "" && !strings.Contains(image, "@sha256:") {
			found.Add(diag.New("MSH4113", diag.Span{File: sayer(said, []string{name})}, "%s %q is a tag", name, image))
		}
	}
	return all, found, nil
}

// sayer is who said a value last.
func sayer(said []saidValues, path []string) string {
	for _, s := range slices.Backward(said) {
		if at := api.At(s.values, path...); at != nil {
			return s.where
		}
	}
	return "values.yaml"
}
