package lab

import (
	"context"
	"errors"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

var _ = context.Background
var _ = errors.New
var _ ir.Request
var _ syntax.VerdictCase

type Report struct{}

func (l *Lab) Test(ctx context.Context) (Report, error) { return Report{}, nil }

