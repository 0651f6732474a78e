module klamm/klammtest

go 1.23
