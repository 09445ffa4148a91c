local floor = math.floor

local Dice = {}
Dice.__index = Dice

function Dice:roll()
  self.seed = self.seed * 16807 % 2147483647
  return floor(self.seed / 64) % 6 + 1
end

function Dice:roll_some(count)
  local sum = 0
  for i = 1, count do sum = sum + self:roll() end
  return sum
end

local n = tonumber(arg[1]) or 50000
local dice = 10
local source = setmetatable({ seed = 42 }, Dice)
local sums, pairs_seen = {}, {}
for i = 0, 6 * dice do sums[i] = 0 end
local last = 0
for i = 1, n do
  local sum = source:roll_some(dice)
  sums[sum] = sums[sum] + 1
  local pair = last * 100 + sum
  pairs_seen[pair] = (pairs_seen[pair] or 0) + 1
  last = sum
end
local common = 0
for sum = 0, 6 * dice do
  if sums[sum] > sums[common] then common = sum end
end
local often, times, count = 0, 0, 0
for key, value in pairs(pairs_seen) do
  count = count + 1
  if value > times or (value == times and key < often) then
    often = key
    times = value
  end
end
print(string.format("%d came up %d times", common, sums[common]))
print(string.format("%d pairs, %d before %d %d times", count, floor(often / 100), often % 100, times))
