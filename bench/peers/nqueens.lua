local function is_free(b, row, column)
  return not b.columns[column] and not b.rising[row + column] and not b.falling[row - column + b.n]
end

local function put(b, row, column, present)
  b.queens[row] = column
  b.columns[column] = present
  b.rising[row + column] = present
  b.falling[row - column + b.n] = present
end

local function show(b)
  for row = 0, b.n - 1 do
    local line = {}
    for column = 0, b.n - 1 do line[column + 1] = b.queens[row] == column and "Q" or "." end
    print(table.concat(line, " "))
  end
end

local function solve(b, row, shown)
  if row == b.n then
    if not shown then show(b) end
    return 1
  end
  local ways = 0
  for column = 0, b.n - 1 do
    if is_free(b, row, column) then
      put(b, row, column, true)
      ways = ways + solve(b, row + 1, shown or ways > 0)
      put(b, row, column, false)
    end
  end
  return ways
end

local function filled(n, value)
  local t = {}
  for i = 0, n - 1 do t[i] = value end
  return t
end

local n = tonumber(arg[1]) or 9
local board = {
  n = n, queens = filled(n, 0), columns = filled(n, false), rising = filled(2 * n, false), falling = filled(2 * n + 1, false),
}
local ways = solve(board, 0, false)
print(string.format("%d queens: %d ways", n, ways))
