import { ArrayMaxSize, ArrayNotEmpty, IsArray } from 'class-validator';

/** Many orders at once. Each is validated for itself: one bad line does not hold up the others. */
export class ImportOrdersDto {
  @IsArray()
  @ArrayNotEmpty()
  @ArrayMaxSize(100)
  orders!: unknown[];
}
